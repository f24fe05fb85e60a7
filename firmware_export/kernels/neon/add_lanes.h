/* ADD and SUB, int8, of two tensors of one shape, for Neon: 16 elements at a time. A sum of two products is not what
 * TFLite computes, but the compiler found factors with which it rounds to the same number for each of the 65,536 pairs
 * of inputs. */
#ifndef EDGECNN_ADD_LANES_H
#define EDGECNN_ADD_LANES_H

#include "neon.h"

struct ec_add_lanes {
    int32_t count;                               /* of a row */
    int32_t first_factor, second_factor, offset; /* 1 of the output is 2^22 */
    int32_t low, high;                           /* of the fused activation */
};

/* value / 2^16, half up, within 16 bits; of that / 2^6, half up. */
static inline int32_t ec_add_lanes_round(int32_t sum)
{
    const int32_t high = ec_clamp(((sum >> 15) + 1) >> 1, -32768, 32767);

    return (high + 32) >> 6;
}

#if defined(__ARM_NEON)

static EC_INLINE int16x4_t ec_add_four(int16x4_t first, int16x4_t second, const struct ec_add_lanes *layer)
{
    const int32x4_t sums = vmlaq_s32(
        vdupq_n_s32(layer->offset), vmovl_s16(first), vdupq_n_s32(layer->first_factor));

    return vqrshrn_n_s32(vmlaq_s32(sums, vmovl_s16(second), vdupq_n_s32(layer->second_factor)), 16);
}

static EC_INLINE int8x8_t ec_add_eight(int8x8_t first, int8x8_t second, const struct ec_add_lanes *layer)
{
    const int16x8_t left = vmovl_s8(first), right = vmovl_s8(second);
    const int16x4_t low = ec_add_four(vget_low_s16(left), vget_low_s16(right), layer);

    return vqrshrn_n_s16(vcombine_s16(low, ec_add_four(vget_high_s16(left), vget_high_s16(right), layer)), 6);
}

#endif

/* out, first, second: [count]; out may be the memory of either. */
static EC_OUT_OF_LINE void ec_add_lanes(
    const struct ec_add_lanes *layer, int8_t *out, const int8_t *first, const int8_t *second)
{
    const struct ec_add_lanes own = *layer;
    int32_t i = 0;

#if defined(__ARM_NEON)
    for (; i + 16 <= own.count; i += 16) {
        const int8x16_t left = vld1q_s8(first + i), right = vld1q_s8(second + i);
        const int8x16_t sums = vcombine_s8(
            ec_add_eight(vget_low_s8(left), vget_low_s8(right), &own),
            ec_add_eight(vget_high_s8(left), vget_high_s8(right), &own));
        vst1q_s8(out + i, sums);
    }
    if (own.low > -128 || own.high < 127) {
        ec_clamp_row(out, i, own.low, own.high);
    }
#endif
    for (; i < own.count; i++) {
        const int32_t sum = first[i] * own.first_factor + (second[i] * own.second_factor + own.offset);
        out[i] = (int8_t)ec_clamp(ec_add_lanes_round(sum), own.low, own.high);
    }
}

#endif
