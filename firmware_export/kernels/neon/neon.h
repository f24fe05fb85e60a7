/* Neon, the vectors of Arm's Cortex-A: of 64 bits (Armv8-A, with or without the dot product of Armv8.2-A) and of 32
 * bits (Armv7-A). Kernels have a plain form too, for compilers that are told of no Neon: the same tables, the same
 * numbers. */
#ifndef EDGECNN_NEON_H
#define EDGECNN_NEON_H

#include "fixed_point.h"
#include "out_of_line.h"

#if defined(__ARM_NEON)
#include <arm_neon.h>

#if defined(__ARM_FEATURE_DOTPROD) && defined(__aarch64__)
#define EC_DOT_PRODUCT
#endif

/* Sums of 16 channels of a pixel, or 16 other numbers of 32 bits. */
struct ec_sixteen {
    int32x4_t v0, v1, v2, v3;
};

static EC_INLINE struct ec_sixteen ec_load_sixteen(const int32_t *from)
{
    struct ec_sixteen numbers;

    numbers.v0 = vld1q_s32(from);
    numbers.v1 = vld1q_s32(from + 4);
    numbers.v2 = vld1q_s32(from + 8);
    numbers.v3 = vld1q_s32(from + 12);
    return numbers;
}

/* What some instructions of 64 bits are in those of 32. */
static EC_INLINE int8x16x4_t ec_load_64_bytes(const int8_t *from)
{
#if defined(__aarch64__)
    return vld1q_s8_x4(from);
#else
    int8x16x4_t bytes;

    bytes.val[0] = vld1q_s8(from);
    bytes.val[1] = vld1q_s8(from + 16);
    bytes.val[2] = vld1q_s8(from + 32);
    bytes.val[3] = vld1q_s8(from + 48);
    return bytes;
#endif
}

static EC_INLINE int16x8_t ec_narrow_8(int32x4_t low, int32x4_t high)
{
#if defined(__aarch64__)
    return vqmovn_high_s32(vqmovn_s32(low), high);
#else
    return vcombine_s16(vqmovn_s32(low), vqmovn_s32(high));
#endif
}

static EC_INLINE int8x16_t ec_narrow_16(int16x8_t low, int16x8_t high)
{
#if defined(__aarch64__)
    return vqmovn_high_s16(vqmovn_s16(low), high);
#else
    return vcombine_s8(vqmovn_s16(low), vqmovn_s16(high));
#endif
}

/* sums * multipliers * 2^(shifts - 31) with TFLite Micro's two roundings; shifts are -1 or less. SQRDMULH is the first
 * one. SRSHL rounds half up: less 1, a negative number is rounded half away from zero. Where an activation cuts off all
 * negative numbers (`rectified`) that does not matter. */
static EC_INLINE int32x4_t ec_scale(int32x4_t sums, int32x4_t multipliers, int32x4_t shifts, int rectified)
{
    const int32x4_t high = vqrdmulhq_s32(sums, multipliers);

    return vrshlq_s32(rectified ? high : vsraq_n_s32(high, high, 31), shifts);
}

/* Scaled sums as the output has them, whose zero point is given. */
static EC_INLINE int8x16_t ec_end_sixteen(struct ec_sixteen numbers, int16x8_t zero_point)
{
    const int16x8_t left = vqaddq_s16(ec_narrow_8(numbers.v0, numbers.v1), zero_point);
    const int16x8_t right = vqaddq_s16(ec_narrow_8(numbers.v2, numbers.v3), zero_point);

    return ec_narrow_16(left, right);
}

/* How sums of 16 channels end: multipliers, minus right shifts. */
struct ec_scales {
    struct ec_sixteen multipliers, shifts;
};

static EC_INLINE struct ec_scales ec_load_scales(const int32_t *from)
{
    struct ec_scales scales;

    scales.multipliers = ec_load_sixteen(from);
    scales.shifts = ec_load_sixteen(from + 16);
    return scales;
}

/* 16 sums as the output has them. */
static EC_INLINE int8x16_t ec_requantize_sixteen(
    struct ec_sixteen sums, struct ec_scales scales, int16x8_t zero_point, int rectified)
{
    sums.v0 = ec_scale(sums.v0, scales.multipliers.v0, scales.shifts.v0, rectified);
    sums.v1 = ec_scale(sums.v1, scales.multipliers.v1, scales.shifts.v1, rectified);
    sums.v2 = ec_scale(sums.v2, scales.multipliers.v2, scales.shifts.v2, rectified);
    sums.v3 = ec_scale(sums.v3, scales.multipliers.v3, scales.shifts.v3, rectified);
    return ec_end_sixteen(sums, zero_point);
}

/* A row of the output within the range of an activation that is not that of int8. */
static EC_OUT_OF_LINE void ec_clamp_row(int8_t *out, int32_t count, int32_t low, int32_t high)
{
    for (; count >= 16; count -= 16, out += 16) {
        vst1q_s8(out, vminq_s8(vmaxq_s8(vld1q_s8(out), vdupq_n_s8((int8_t)low)), vdupq_n_s8((int8_t)high)));
    }
    for (; count > 0; count--, out++) {
        *out = (int8_t)ec_clamp(*out, low, high);
    }
}

#endif

#endif
