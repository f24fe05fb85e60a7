/* MEAN and SUM, int16, over any axes: sums times one factor, which for MEAN holds the division too. */
#ifndef EDGECNN_MEAN_INT16_H
#define EDGECNN_MEAN_INT16_H

#include "fixed_point.h"

/* Output [o][i] sums in[o * outer_step + i * inner_step + l * line_step + t * tap_step] over lines l and taps t. */
struct ec_mean_int16 {
    int32_t outer, outer_step;
    int32_t inner, inner_step;
    int32_t lines, line_step;
    int32_t taps, tap_step;
    int32_t steps; /* rows that ec_mean_int16_accumulate adds up */
    int32_t multiplier, shift;
};

static inline int32_t ec_mean_int16_sum(const struct ec_mean_int16 *layer, const int16_t *in)
{
    const int32_t taps = layer->taps, step = layer->tap_step;
    int32_t line, tap, sum = 0;

    for (line = 0; line < layer->lines; line++, in += layer->line_step) {
        const int16_t *from = in;
        for (tap = 0; tap < taps; tap++, from += step) {
            sum += *from;
        }
    }
    return sum;
}

static inline int16_t ec_mean_int16_requantize(const struct ec_mean_int16 *layer, int32_t sum)
{
    return (int16_t)ec_clamp(ec_multiply(sum, layer->multiplier, layer->shift), INT16_MIN, INT16_MAX);
}

/* out: [outer][inner]; in: one row, or the whole input. */
static inline void ec_mean_int16(const struct ec_mean_int16 *layer, int16_t *out, const int16_t *in)
{
    int32_t o, i;

    for (o = 0; o < layer->outer; o++, in += layer->outer_step) {
        const int16_t *from = in;
        for (i = 0; i < layer->inner; i++, from += layer->inner_step) {
            *out++ = ec_mean_int16_requantize(layer, ec_mean_int16_sum(layer, from));
        }
    }
}

/* Row y of `steps`: sums [outer][inner] gather, the last row writes out [outer][inner]. */
static inline void ec_mean_int16_accumulate(
    const struct ec_mean_int16 *layer, int16_t *out, const int16_t *in, int32_t y, int32_t *sums)
{
    int32_t o, i;

    for (o = 0; o < layer->outer; o++, in += layer->outer_step) {
        const int16_t *from = in;
        for (i = 0; i < layer->inner; i++, from += layer->inner_step) {
            const int32_t sum = (y == 0 ? 0 : *sums) + ec_mean_int16_sum(layer, from);
            *sums++ = sum;
            if (y == layer->steps - 1) {
                *out++ = ec_mean_int16_requantize(layer, sum);
            }
        }
    }
}

#endif
