/* Sums of pixels that are packed in words, for any core with a multiplication of 32 bits. */
#ifndef EDGECNN_TWO_IN_A_WORD_C_H
#define EDGECNN_TWO_IN_A_WORD_C_H

#include "out_of_line.h"
#include "packed_channel.h"

#if !defined(EC_ARMV6M) && !defined(EC_ARMV7M)

/* Keeps gcc from loading the words of all terms first, and from storing them on the stack for that. */
#if defined(__GNUC__)
#define EC_IN_ORDER __asm__ volatile("" : : : "memory");
#else
#define EC_IN_ORDER
#endif

/* Two terms of two pixels. Half of 2^16 rounds, where the upper half is cut off. */
static EC_INLINE void ec_add_two_terms(int32_t *whole, int32_t *upper, const int32_t *columns, const int8_t *weights)
{
    const int32_t both = columns[0] * weights[0] + columns[1] * weights[1] + (INT32_C(1) << 15);

    *whole = (int32_t)((uint32_t)*whole + (uint32_t)both);
    *upper += both >> 16;
}

/* Terms i and i + 1 of four pixels, of two, and of one. */
#define EC_TWO_OF_FOUR(i)                                                                                             \
    ec_add_two_terms(&whole0, &upper0, columns + 2 * (i), weights + (i));                                             \
    ec_add_two_terms(&whole1, &upper1, columns + 2 * (i) + 2, weights + (i));                                         \
    EC_IN_ORDER
#define EC_TWO_OF_TWO(i) ec_add_two_terms(&whole0, &upper0, columns + (i), weights + (i));
#define EC_TWO_OF_ONE(i) whole0 += columns[i] * weights[i] + columns[(i) + 1] * weights[(i) + 1];

/* All terms: by eight, and the rest by two. */
#define EC_SUM_TERMS(words, two)                                                                                      \
    const int8_t *const eights = weights + (terms & ~7), *const end = weights + terms;                                \
    int32_t whole0 = 0, upper0 = 0, whole1 = 0, upper1 = 0;                                                           \
    for (; weights != eights; weights += 8, columns += 8 * (words)) {                                                 \
        two(0) two(2) two(4) two(6)                                                                                   \
    }                                                                                                                 \
    for (; weights != end; weights += 2, columns += 2 * (words)) {                                                    \
        two(0)                                                                                                        \
    }                                                                                                                 \
    (void)upper0, (void)whole1, (void)upper1; /* of fewer pixels */

#define EC_SUM_TERMS_OF_FOUR EC_SUM_TERMS(2, EC_TWO_OF_FOUR)
#define EC_SUM_TERMS_OF_TWO EC_SUM_TERMS(1, EC_TWO_OF_TWO)
#define EC_SUM_TERMS_OF_ONE EC_SUM_TERMS(1, EC_TWO_OF_ONE)
#define EC_ROUNDED(terms) ((uint32_t)(terms) << 14) /* what was added for rounding: one half for two terms */

#define EC_SATURATE(value) ec_clamp(value, -128, 127)

#endif
#endif
