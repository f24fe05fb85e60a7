/* The DSP extension of Armv7E-M and Armv8-M: two products of 16 bits in an instruction. */
#ifndef EDGECNN_SIMD_H
#define EDGECNN_SIMD_H

#if !defined(__ARM_FEATURE_DSP) || !__ARM_FEATURE_DSP
#error "This network was compiled for Arm's DSP extension (Cortex-M4, M7, M33, ...). Compile it for another --target."
#endif

#include <arm_acle.h>
#include <stdint.h>
#include <string.h>

#include "out_of_line.h"

/* (low half of a, low half of b) */
static inline int32_t ec_low_halves(int32_t a, int32_t b)
{
    int32_t both;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(both) : "r"(a), "r"(b));
    return both;
}

/* (high half of a, high half of b) */
static inline int32_t ec_high_halves(int32_t a, int32_t b)
{
    int32_t both;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(both) : "r"(b), "r"(a));
    return both;
}

/* Four int8 numbers to 16 bits, offsets added. */
static inline void ec_widen_four(int16_t *out, const int8_t *in, int32_t offsets)
{
    int32_t four, even, odd, low, high;

    memcpy(&four, in, 4);
    even = __sxtab16(offsets, four);
    odd = __sxtab16(offsets, (int32_t)((uint32_t)four >> 8 | (uint32_t)four << 24));
    low = ec_low_halves(even, odd);
    high = ec_high_halves(even, odd);
    memcpy(out, &low, 4);
    memcpy(out + 2, &high, 4);
}

/* out[x][i] = in[x][i] + offset for width pixels of count numbers, `next` elements from one to the next in out; zeros
 * where in is NULL. */
static EC_OUT_OF_LINE void ec_widen(
    int16_t *out, int32_t next, const int8_t *in, int32_t width, int32_t count, int32_t offset)
{
    const int32_t offsets = (int32_t)((uint32_t)offset << 16 | ((uint32_t)offset & 0xFFFFu));
    int32_t left;

    for (; width > 0; width--, out += next - count) {
        if (in == NULL) {
            for (left = count; left > 0; left--) {
                *out++ = 0;
            }
            continue;
        }
        for (left = count; left >= 4; left -= 4) {
            ec_widen_four(out, in, offsets);
            in += 4;
            out += 4;
        }
        for (; left > 0; left--) {
            *out++ = (int16_t)(*in++ + offset);
        }
    }
}

/* Twice a sum to int8: 2 * zero point + 1 is `half`. The sum is below 2^30, the multiplier at least 2^30 or 0, and
 * shift at least 1. gemmlowp's first rounding is floor((twice * multiplier + 2^31) / 2^32), and what that has of the
 * sign is the sum's: so the second, half away from zero, and the zero point are one addition to the high word. */
static inline int8_t ec_round_twice(int32_t twice, int32_t multiplier, int32_t shift, int32_t half)
{
    const int32_t carry = (int32_t)((uint32_t)half << (shift - 1)) + (twice >> 31);
    const int64_t start = (int64_t)((uint64_t)(uint32_t)carry << 32 | UINT32_C(0x80000000));

    return (int8_t)__ssat((int32_t)(((int64_t)twice * multiplier + start) >> 32) >> shift, 8);
}

#endif
