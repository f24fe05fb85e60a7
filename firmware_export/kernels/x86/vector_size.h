/* What vectors the compiler may use on x86-64: its macros say it (-march=native, -mavx2). */
#ifndef EDGECNN_VECTOR_SIZE_H
#define EDGECNN_VECTOR_SIZE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "out_of_line.h"

/* Whoever wants smaller ones defines it as 32, or as 0 for plain C. */
#ifndef EC_VECTOR_BYTES
#if defined(__AVX512VNNI__) && defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define EC_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define EC_VECTOR_BYTES 32
#else
#define EC_VECTOR_BYTES 0
#endif
#endif

#if EC_VECTOR_BYTES
#include <immintrin.h>
#endif

/* Sums stay in registers only where loops over them are written out. */
#if defined(__GNUC__)
#define EC_UNROLL _Pragma("GCC unroll 16")
#else
#define EC_UNROLL
#endif

#endif
