/* Sums of pixels that are packed in words, for Armv7-M (Cortex-M3). Compilers know no way to load four words while they
 * move the address on. */
#ifndef EDGECNN_TWO_IN_A_WORD_V7M_H
#define EDGECNN_TWO_IN_A_WORD_V7M_H

#include "out_of_line.h"
#include "packed_channel.h"

#if defined(EC_ARMV7M)

/* Two terms of four pixels: 11 instructions for 8 products. Half of 2^16 rounds, where the upper half is cut off. */
#define EC_TWO_OF_FOUR                                                                                                \
    "ldmia %[columns]!, {r3, r4, r5, r6}\n\t"                                                                         \
    "ldrsb %[weight], [%[weights]], #1\n\t"                                                                           \
    "mla r3, r3, %[weight], %[half]\n\t"                                                                              \
    "mla r5, r5, %[weight], %[half]\n\t"                                                                              \
    "ldrsb %[weight], [%[weights]], #1\n\t"                                                                           \
    "mla r3, r4, %[weight], r3\n\t"                                                                                   \
    "mla r5, r6, %[weight], r5\n\t"                                                                                   \
    "add %[whole0], %[whole0], r3\n\t"                                                                                \
    "add %[upper0], %[upper0], r3, asr #16\n\t"                                                                       \
    "add %[whole1], %[whole1], r5\n\t"                                                                                \
    "add %[upper1], %[upper1], r5, asr #16\n\t"

/* Two terms of two pixels: 7 for 4. */
#define EC_TWO_OF_TWO                                                                                                 \
    "ldmia %[columns]!, {r3, r4}\n\t"                                                                                 \
    "ldrsb %[weight], [%[weights]], #1\n\t"                                                                           \
    "mla r3, r3, %[weight], %[half]\n\t"                                                                              \
    "ldrsb %[weight], [%[weights]], #1\n\t"                                                                           \
    "mla r3, r4, %[weight], r3\n\t"                                                                                   \
    "add %[whole0], %[whole0], r3\n\t"                                                                                \
    "add %[upper0], %[upper0], r3, asr #16\n\t"

/* One term of one pixel, whose numbers are words. */
#define EC_ONE_OF_ONE(word)                                                                                           \
    "ldrsb %[weight], [%[weights]], #1\n\t"                                                                           \
    "mla %[whole0], " word ", %[weight], %[whole0]\n\t"

#define EC_TWO_OF_ONE "ldmia %[columns]!, {r3, r4}\n\t" EC_ONE_OF_ONE("r3") EC_ONE_OF_ONE("r4")
#define EC_FOUR_OF_ONE                                                                                                \
    "ldmia %[columns]!, {r3, r4, r5, r6}\n\t"                                                                         \
    EC_ONE_OF_ONE("r3") EC_ONE_OF_ONE("r4") EC_ONE_OF_ONE("r5") EC_ONE_OF_ONE("r6")

#define EC_UNTIL(end, text)                                                                                           \
    if (columns != (end)) {                                                                                           \
        __asm__ volatile("1:\n\t" text "cmp %[columns], %[stop]\n\t"                                                  \
                         "bne 1b"                                                                                     \
                         : [columns] "+r"(columns), [weights] "+r"(weights), [whole0] "+r"(whole0),                   \
                           [whole1] "+r"(whole1), [upper0] "+r"(upper0), [upper1] "+r"(upper1), [weight] "=&r"(weight) \
                         : [half] "r"(INT32_C(1) << 15), [stop] "r"(end)                                              \
                         : "r3", "r4", "r5", "r6", "cc", "memory");                                                   \
    }

/* All terms: by eight, and the rest by two. */
#define EC_SUM_TERMS(words, eight, two)                                                                               \
    const int32_t *const eights = columns + (words) * (terms & ~7), *const end = columns + (words) * terms;           \
    int32_t whole0 = 0, whole1 = 0, upper0 = 0, upper1 = 0, weight;                                                   \
    EC_UNTIL(eights, eight)                                                                                           \
    EC_UNTIL(end, two)

#define EC_FOUR_TIMES(text) text text text text
#define EC_SUM_TERMS_OF_FOUR EC_SUM_TERMS(2, EC_FOUR_TIMES(EC_TWO_OF_FOUR), EC_TWO_OF_FOUR)
#define EC_SUM_TERMS_OF_TWO EC_SUM_TERMS(1, EC_FOUR_TIMES(EC_TWO_OF_TWO), EC_TWO_OF_TWO)
#define EC_SUM_TERMS_OF_ONE EC_SUM_TERMS(1, EC_FOUR_OF_ONE EC_FOUR_OF_ONE, EC_TWO_OF_ONE)
#define EC_ROUNDED(terms) ((uint32_t)(terms) << 14) /* what was added for rounding: one half for two terms */

/* To int8. __ssat of gcc 12's arm_acle.h warns of a changed sign. */
static inline int32_t ec_saturated(int32_t value)
{
    int32_t result;

    __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(value));
    return result;
}

#define EC_SATURATE(value) ec_saturated(value)

#endif
#endif
