/* The DSP extension of Armv7E-M and Armv8-M: two products of 16 bits in an instruction. */
#ifndef EDGECNN_SIMD_H
#define EDGECNN_SIMD_H

#if !defined(__ARM_FEATURE_DSP) || !__ARM_FEATURE_DSP
#error "This network was compiled for Arm's DSP extension (Cortex-M4, M7, M33, ...). Compile it for another --target."
#endif

#include <arm_acle.h>
#include <stdint.h>
#include <string.h>

#include "fixed_point.h"
#include "out_of_line.h"

/* Eight int8 numbers to 16 bits, offsets added, each four of them in the order 0, 2, 1, 3; addresses move on. */
#define EC_WIDEN_EIGHT(out, in, offsets)                                                                              \
    do {                                                                                                              \
        int32_t ec_four, ec_other;                                                                                    \
        uint64_t ec_wide;                                                                                             \
        __asm__ volatile(                                                                                             \
            "ldr %[four], [%[from]], #4\n\t"                                                                          \
            "ldr %[other], [%[from]], #4\n\t"                                                                         \
            "sxtab16 %Q[wide], %[add], %[four]\n\t"                                                                   \
            "sxtab16 %R[wide], %[add], %[four], ror #8\n\t"                                                           \
            "strd %Q[wide], %R[wide], [%[to]], #8\n\t"                                                                \
            "sxtab16 %Q[wide], %[add], %[other]\n\t"                                                                  \
            "sxtab16 %R[wide], %[add], %[other], ror #8\n\t"                                                          \
            "strd %Q[wide], %R[wide], [%[to]], #8"                                                                    \
            : [from] "+r"(in), [to] "+r"(out), [four] "=&r"(ec_four), [other] "=&r"(ec_other), [wide] "=&r"(ec_wide)  \
            : [add] "r"(offsets)                                                                                      \
            : "memory");                                                                                              \
    } while (0)

/* Where the numbers of a group of four went. */
#define EC_PLACE_OF_FOUR(i) (((i) & 1) << 1 | (i) >> 1)

/* out[x][i] = in[x][i] + offset for width pixels of count numbers, `next` elements from one to the next in out; zeros
 * where in is NULL. Where count is a multiple of 4, numbers 1 and 2 of each four change places; out is then divisible by
 * 4 as an address. */
static EC_OUT_OF_LINE void ec_widen(
    int16_t *out, int32_t next, const int8_t *in, int32_t width, int32_t count, int32_t offset)
{
    const int32_t offsets = (int32_t)((uint32_t)offset << 16 | ((uint32_t)offset & 0xFFFFu));
    const int32_t gap = next - count;
    int32_t left;

    if (in == NULL) {
        for (; width > 0; width--, out += next) {
            memset(out, 0, sizeof(*out) * (size_t)count);
        }
        return;
    }
    if (count & 3) {
        for (; width > 0; width--, out += gap) {
            for (left = count; left > 0; left--) {
                *out++ = (int16_t)(*in++ + offset);
            }
        }
        return;
    }
    for (; width > 0; width--, out += gap) {
        for (left = count; left >= 8; left -= 8) {
            EC_WIDEN_EIGHT(out, in, offsets);
        }
        if (left > 0) {
            for (left = 0; left < 4; left++) {
                out[EC_PLACE_OF_FOUR(left)] = (int16_t)(in[left] + offset);
            }
            in += 4;
            out += 4;
        }
    }
}

/* columns: [zeros before][width][kernel_h][depth][zeros after] of 16 bits, from kernel_h rows. Returns their end. */
static EC_OUT_OF_LINE int16_t *ec_columns(
    int16_t *columns, const int8_t *const *in, int32_t width, int32_t depth, int32_t kernel_h, int32_t offset,
    int32_t before, int32_t after)
{
    const int32_t column = kernel_h * depth;
    int32_t ky;

    memset(columns, 0, sizeof(*columns) * (size_t)before);
    columns += before;
    for (ky = 0; ky < kernel_h; ky++) {
        ec_widen(columns + ky * depth, column, in[ky], width, depth, offset);
    }
    columns += width * column;
    memset(columns, 0, sizeof(*columns) * (size_t)after);
    return columns + after;
}

/* The activation's range, where it is not that of the type. */
static EC_INLINE void ec_clamp_all(int8_t *out, int32_t count, int32_t low, int32_t high)
{
    if (low > -128 || high < 127) {
        for (; count > 0; count--, out++) {
            *out = (int8_t)ec_clamp(*out, low, high);
        }
    }
}

/* How the sums of a channel become int8. */
struct ec_channel {
    int32_t twice_bias;
    int32_t multiplier; /* 2^30 or more, or 0 */
    int32_t carry;      /* the zero point and a half, shifted left by `shift` */
    int32_t shift;      /* to the right, 1 or more */
};

/* (sum + bias) * multiplier * 2^(-31 - shift) + zero point, a sum below 2^30. gemmlowp's first rounding is that of the
 * high word of twice the product. What it leaves has the sign of the sum, so the second one, half away from zero, and
 * the zero point are one addition to that word. */
static EC_INLINE int8_t ec_round_twice(int32_t sum, const struct ec_channel *channel)
{
    const int32_t twice = 2 * sum + channel->twice_bias;
    const int32_t carry = channel->carry + (twice >> 31);
    int32_t high, result;

    __asm__("smmlar %0, %1, %2, %3" : "=r"(high) : "r"(twice), "r"(channel->multiplier), "r"(carry));
    __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(high >> channel->shift));
    return (int8_t)result;
}

/* Two channels share the halfwords of their weights: the sum of the odd one, from that of 256 times it and the even
 * one. */
static EC_INLINE int32_t ec_odd_sum(int32_t both, int32_t even)
{
    return (int32_t)((uint32_t)both - (uint32_t)even) >> 8;
}

/* The same for two sums; out and next may not lie in the channel's memory. */
static EC_INLINE void ec_round_two(
    int8_t *out, int8_t *next, int32_t sum, int32_t next_sum, const struct ec_channel *channel)
{
    const struct ec_channel own = *channel;

    *out = ec_round_twice(sum, &own);
    *next = ec_round_twice(next_sum, &own);
}

#endif
