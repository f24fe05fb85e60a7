/* From sums to int16, per channel, zero points being 0: the end of every operator with weights and int16 activations.
 * TFLite Micro has two ways of its own, one for int64 sums and one for int32 sums; EC_HIGH_WORD gives what the first one
 * gives, for sums that are known to fit into int32. */
#ifndef EDGECNN_REQUANTIZE_INT16_H
#define EDGECNN_REQUANTIZE_INT16_H

#include "fixed_point.h"

/* How a layer rounds, and what its sums are. */
#define EC_HIGH_WORD 0 /* int32: the high word of one product, rounded once; no shift is negative */
#define EC_WIDE 1      /* int64: a multiplier of 15 bits, rounded once */
#define EC_TWICE 2     /* int32: rounded twice, as int8 is */

struct ec_requantize_int16 {
    const int32_t *bias;       /* [channels], for int32 sums */
    const int64_t *wide_bias;  /* [channels], for int64 sums */
    const int32_t *multiplier; /* [channels], the lower 16 bits 0 unless EC_TWICE */
    const int8_t *shift;       /* [channels], the factor being multiplier * 2^(-33 - shift) */
    int32_t rounding;
    int32_t low, high; /* of the fused activation */
};

/* out[i] = (sums[i] + bias[i]) * factor[i], for i < count. With n = shift + 1 the number wanted is
 *     floor((sum * multiplier / 2^16 + 2^(15 + n)) / 2^(16 + n)),
 * and as floors nest it is floor((high word + 2^(n - 1)) / 2^n). */
static inline void ec_requantize_int16_high_word(
    const struct ec_requantize_int16 *p, int16_t *out, const int32_t *sums, int32_t channel, int32_t count)
{
    const int32_t *const bias = p->bias + channel, *const multiplier = p->multiplier + channel;
    const int8_t *const shift = p->shift + channel;
    const int32_t low = p->low, high = p->high;
    int32_t i;

    for (i = 0; i < count; i++) {
        const int32_t high_word = (int32_t)(((int64_t)(sums[i] + bias[i]) * multiplier[i]) >> 32);
        int32_t value = ((high_word >> shift[i]) + 1) >> 1;

        value = value > low ? value : low;
        value = value < high ? value : high;
        out[i] = (int16_t)value;
    }
}

static inline void ec_requantize_int16_twice(
    const struct ec_requantize_int16 *p, int16_t *out, const int32_t *sums, int32_t channel, int32_t count)
{
    int32_t i;

    for (i = 0; i < count; i++) {
        const int32_t c = channel + i;
        const int32_t value = ec_multiply(sums[i] + p->bias[c], p->multiplier[c], -2 - p->shift[c]);
        out[i] = (int16_t)ec_clamp(value, p->low, p->high);
    }
}

/* sums: int32, by either way. */
static inline void ec_requantize_int16(
    const struct ec_requantize_int16 *p, int16_t *out, const int32_t *sums, int32_t channel, int32_t count)
{
    if (p->rounding == EC_HIGH_WORD) {
        ec_requantize_int16_high_word(p, out, sums, channel, count);
    } else {
        ec_requantize_int16_twice(p, out, sums, channel, count);
    }
}

/* sums: int64. */
static inline void ec_requantize_int16_wide(
    const struct ec_requantize_int16 *p, int16_t *out, const int64_t *sums, int32_t channel, int32_t count)
{
    int32_t i;

    for (i = 0; i < count; i++) {
        const int32_t c = channel + i, down = 17 + p->shift[c];
        const int64_t product = (sums[i] + p->wide_bias[c]) * (p->multiplier[c] >> 16);
        out[i] = (int16_t)ec_clamp((int32_t)((product + (INT64_C(1) << (down - 1))) >> down), p->low, p->high);
    }
}

#endif
