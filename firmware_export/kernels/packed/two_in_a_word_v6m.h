/* Sums of pixels that are packed in words, for Armv6-M (Cortex-M0, M0+). What a shift cuts off last is in the carry
 * flag, and rounds. The assembly takes all low registers and saves them itself: no compiler would spare as many. */
#ifndef EDGECNN_TWO_IN_A_WORD_V6M_H
#define EDGECNN_TWO_IN_A_WORD_V6M_H

#include "out_of_line.h"
#include "packed_channel.h"

#if defined(EC_ARMV6M)

/* Terms a and b of those that r1 points to. */
#define EC_TWO_WEIGHTS(a, b)                                                                                          \
    "ldrb r2, [r1, #" #a "]\n\t"                                                                                      \
    "sxtb r2, r2\n\t"                                                                                                 \
    "ldrb r3, [r1, #" #b "]\n\t"                                                                                      \
    "sxtb r3, r3\n\t"

#define EC_TWO_OF_PAIR(whole, upper)                                                                                  \
    "ldmia r0!, {r4, r5}\n\t"                                                                                         \
    "muls r4, r2, r4\n\t"                                                                                             \
    "muls r5, r3, r5\n\t"                                                                                             \
    "adds r4, r4, r5\n\t"                                                                                             \
    "add " whole ", r4\n\t"                                                                                           \
    "asrs r4, r4, #16\n\t"                                                                                            \
    "adcs " upper ", r4\n\t"

/* Two terms of four pixels: 18 instructions for 8 products. Of two: 11 for 4. Of one: 9 for 2. */
#define EC_TWO_OF_FOUR(a, b) EC_TWO_WEIGHTS(a, b) EC_TWO_OF_PAIR("ip", "r6") EC_TWO_OF_PAIR("lr", "r7")
#define EC_TWO_OF_TWO(a, b) EC_TWO_WEIGHTS(a, b) EC_TWO_OF_PAIR("ip", "r6")
#define EC_TWO_OF_ONE(a, b)                                                                                           \
    EC_TWO_WEIGHTS(a, b)                                                                                              \
    "ldmia r0!, {r4, r5}\n\t"                                                                                         \
    "muls r4, r2, r4\n\t"                                                                                             \
    "muls r5, r3, r5\n\t"                                                                                             \
    "add ip, r4\n\t"                                                                                                  \
    "add ip, r5\n\t"

/* All terms: by eight, and the rest by two. The assembly has columns, weights and where to end in the registers in
 * which the sums return; the ends are kept on the stack. */
#define EC_SUM_TERMS(words, two)                                                                                      \
    register int32_t whole0 __asm__("r0") = (int32_t)columns;                                                         \
    register int32_t upper0 __asm__("r1") = (int32_t)weights;                                                         \
    register int32_t whole1 __asm__("r2") = (int32_t)(columns + (words) * (terms & ~7));                              \
    register int32_t upper1 __asm__("r3") = (int32_t)(columns + (words) * terms);                                     \
    __asm__ volatile(".syntax unified\n\t"                                                                            \
                     "push {r4, r5, r6, r7}\n\t"                                                                      \
                     "push {r2, r3}\n\t"                                                                              \
                     "movs r6, #0\n\t"                                                                                \
                     "movs r7, #0\n\t"                                                                                \
                     "mov ip, r6\n\t"                                                                                 \
                     "mov lr, r6\n\t"                                                                                 \
                     "b 2f\n"                                                                                         \
                     "1:\n\t" two(0, 1) two(2, 3) two(4, 5) two(6, 7)                                                 \
                     "adds r1, #8\n"                                                                                  \
                     "2:\n\t"                                                                                         \
                     "ldr r4, [sp]\n\t"                                                                               \
                     "cmp r0, r4\n\t"                                                                                 \
                     "bne 1b\n\t"                                                                                     \
                     "b 4f\n"                                                                                         \
                     "3:\n\t" two(0, 1)                                                                               \
                     "adds r1, #2\n"                                                                                  \
                     "4:\n\t"                                                                                         \
                     "ldr r4, [sp, #4]\n\t"                                                                           \
                     "cmp r0, r4\n\t"                                                                                 \
                     "bne 3b\n\t"                                                                                     \
                     "add sp, #8\n\t"                                                                                 \
                     "mov r0, ip\n\t"                                                                                 \
                     "movs r1, r6\n\t"                                                                                \
                     "mov r2, lr\n\t"                                                                                 \
                     "movs r3, r7\n\t"                                                                                \
                     "pop {r4, r5, r6, r7}"                                                                           \
                     : "+r"(whole0), "+r"(upper0), "+r"(whole1), "+r"(upper1)                                         \
                     :                                                                                                \
                     : "ip", "lr", "cc", "memory");

#define EC_SUM_TERMS_OF_FOUR EC_SUM_TERMS(2, EC_TWO_OF_FOUR)
#define EC_SUM_TERMS_OF_TWO EC_SUM_TERMS(1, EC_TWO_OF_TWO)
#define EC_SUM_TERMS_OF_ONE EC_SUM_TERMS(1, EC_TWO_OF_ONE)
#define EC_ROUNDED(terms) (0u * (uint32_t)(terms)) /* what was added for rounding: nothing */

/* See two_in_a_word.h. The product has 64 bits, of which the high word is wanted: from four products of halfwords, 34
 * instructions in all. Compilers call a function for it, or run out of registers. */
static EC_OUT_OF_LINE void ec_round_sums(
    int8_t *out, int32_t step, const int32_t *sums, int32_t count, const struct ec_packed_channel *channel)
{
    register int8_t *r0 __asm__("r0") = out;
    register int32_t r1 __asm__("r1") = step;
    register const int32_t *r2 __asm__("r2") = sums;
    register const struct ec_packed_channel *r3 __asm__("r3") = channel;
    register const int32_t *ip __asm__("ip") = sums + count;

    __asm__ volatile(
        ".syntax unified\n\t"
        "push {r4, r5, r6, r7}\n\t"
        "mov lr, r1\n"
        "1:\n\t"
        "ldmia r2!, {r1}\n\t"
        "ldr r4, [r3]\n\t"
        "adds r1, r1, r1\n\t"
        "adds r1, r1, r4\n\t"     /* twice the sum */
        "sxth r4, r1\n\t"         /* its low half */
        "subs r5, r1, r4\n\t"
        "asrs r5, r5, #16\n\t"    /* its high half */
        "ldr r7, [r3, #4]\n\t"
        "uxth r7, r7\n\t"         /* the multiplier's low half */
        "movs r6, r7\n\t"
        "muls r6, r4, r6\n\t"
        "asrs r6, r6, #16\n\t"
        "muls r7, r5, r7\n\t"
        "adds r6, r6, r7\n\t"
        "ldr r7, [r3, #4]\n\t"
        "asrs r7, r7, #16\n\t"    /* its high half */
        "muls r5, r7, r5\n\t"
        "muls r7, r4, r7\n\t"
        "adds r6, r6, r7\n\t"
        "asrs r1, r1, #31\n\t"
        "asrs r6, r6, #16\n\t"
        "adcs r6, r5\n\t"         /* the high word, rounded */
        "adds r6, r6, r1\n\t"
        "ldr r7, [r3, #8]\n\t"
        "asrs r4, r7, #8\n\t"
        "adds r6, r6, r4\n\t"
        "asrs r6, r7\n\t"         /* by the lowest 8 bits of it */
        "sxtb r4, r6\n\t"
        "cmp r4, r6\n\t"
        "beq 2f\n\t"
        "asrs r6, r6, #31\n\t"    /* beyond 8 bits: 127 or -128 */
        "movs r4, #127\n\t"
        "eors r4, r6\n"
        "2:\n\t"
        "strb r4, [r0]\n\t"
        "add r0, lr\n\t"
        "cmp r2, ip\n\t"
        "bne 1b\n\t"
        "pop {r4, r5, r6, r7}"
        : "+r"(r0), "+r"(r1), "+r"(r2)
        : "r"(r3), "r"(ip)
        : "lr", "cc", "memory");
}

#endif
#endif
