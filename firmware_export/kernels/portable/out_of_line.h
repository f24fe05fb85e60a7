/* How to keep a compiler from inlining, and from not inlining. */
#ifndef EDGECNN_OUT_OF_LINE_H
#define EDGECNN_OUT_OF_LINE_H

#include <stdint.h>

/* For functions with many variables in an inner loop, which inlined would lose the registers to their caller. */
#if defined(__GNUC__)
#define EC_OUT_OF_LINE __attribute__((noinline, unused))
#define EC_INLINE inline __attribute__((always_inline))
#else
#define EC_OUT_OF_LINE
#define EC_INLINE inline
#endif

#endif
