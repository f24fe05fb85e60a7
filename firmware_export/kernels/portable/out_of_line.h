/* How to keep a compiler from inlining. */
#ifndef EDGECNN_OUT_OF_LINE_H
#define EDGECNN_OUT_OF_LINE_H

#include <stdint.h>

/* For functions with many variables in an inner loop, which inlined would lose the registers to their caller. */
#if defined(__GNUC__)
#define EC_OUT_OF_LINE __attribute__((noinline, unused))
#else
#define EC_OUT_OF_LINE
#endif

#endif
