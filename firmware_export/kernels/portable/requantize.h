/* From int32 sums to int8, per channel: the end of every operator with weights. */
#ifndef EDGECNN_REQUANTIZE_H
#define EDGECNN_REQUANTIZE_H

#include "fixed_point.h"
#include "out_of_line.h"

/* out[i] = (sums[i] + bias[i]) * multiplier[i] * 2^(-33 - shift[i]) + zero_point, between low and high; any shift. */
static EC_OUT_OF_LINE void ec_requantize_any(
    int8_t *out,
    const int32_t *sums,
    int32_t count,
    const int32_t *bias,
    const int32_t *multiplier,
    const int8_t *shift,
    int32_t zero_point,
    int32_t low,
    int32_t high)
{
    int32_t i;

    for (i = 0; i < count; i++) {
        const int32_t value = ec_multiply(sums[i] + bias[i], multiplier[i], -2 - shift[i]);
        out[i] = (int8_t)ec_clamp(value + zero_point, low, high);
    }
}

/* The same where no shift is negative, as in nearly every network.
 *
 * Both of gemmlowp's roundings are done on the high word of the product. With n = shift + 2 the number wanted is
 *     x = floor((product + 2^30) / 2^31),    result = floor((x - (x < 0) + 2^(n - 1)) / 2^n).
 * Subtracting one from x is subtracting 2^31 from the product, and floors nest:
 *     result = floor((floor((product + nudge) / 2^32 / 2^(n - 2)) + 1) / 2),    nudge = sum < 0 ? -2^30 : 2^30.
 * (Where a negative product rounds to x = 0, the subtraction changes nothing.) */
static inline void ec_requantize(
    int8_t *out,
    const int32_t *sums,
    int32_t count,
    const int32_t *bias,
    const int32_t *multiplier,
    const int8_t *shift,
    int32_t zero_point,
    int32_t low,
    int32_t high)
{
    const int32_t half = 2 * zero_point + 1;
    int32_t i;

    for (i = 0; i < count; i++) {
        const int32_t sum = sums[i] + bias[i];
        const uint32_t nudge = ((uint32_t)sum & UINT32_C(0x80000000)) + UINT32_C(0x40000000);
        const int64_t signed_nudge = (int64_t)((uint64_t)(0u - (uint32_t)(sum < 0)) << 32 | nudge);
        const int32_t high_word = (int32_t)(((int64_t)sum * multiplier[i] + signed_nudge) >> 32);
        int32_t value = ((high_word >> shift[i]) + half) >> 1;

        value = value > low ? value : low;
        value = value < high ? value : high;
        out[i] = (int8_t)value;
    }
}

#endif
