/* Functions that are better not inlined. */
#ifndef EDGECNN_OUT_OF_LINE_H
#define EDGECNN_OUT_OF_LINE_H

#if defined(__GNUC__)
#define EC_OUT_OF_LINE __attribute__((noinline, unused))
#else
#define EC_OUT_OF_LINE
#endif

#endif
