/* MEAN, int8, over height, width or both, 16 channels at a time, for Neon: sums times one factor, which
 * holds the division too. */
#ifndef EDGECNN_MEAN_SIXTEENS_H
#define EDGECNN_MEAN_SIXTEENS_H

#include "fixed_point.h"
#include "pixels.h"

/* Output [o][i] sums in[o * outer_step + i + l * line_step + t * tap_step] over lines l and taps t. */
struct ec_mean_sixteens {
    int32_t outer, outer_step;
    int32_t inner, inner_step; /* the step is 1 */
    int32_t lines, line_step;
    int32_t taps, tap_step;
    int32_t steps;                 /* rows that are added up one after another */
    int32_t in_offset, out_offset; /* minus the input's zero point times all that is summed, the output's zero point */
    int32_t multiplier, shift;
};

/* sums: [outer][inner]; in: one row, or the whole input. */
static inline void ec_mean_sixteens_sum(const struct ec_mean_sixteens *layer, int32_t *sums, const int8_t *in)
{
    int32_t o, line;

    for (o = 0; o < layer->outer; o++, in += layer->outer_step, sums += layer->inner) {
        const int8_t *from = in;
        for (line = 0; line < layer->lines; line++, from += layer->line_step) {
            ec_sum_pixels(sums, from, layer->inner, layer->tap_step, layer->taps);
        }
    }
}

static inline void ec_mean_sixteens_write(const struct ec_mean_sixteens *layer, int8_t *out, const int32_t *sums)
{
    int32_t left;

    for (left = layer->outer * layer->inner; left > 0; left--) {
        const int32_t sum = *sums++ + layer->in_offset;
        *out++ = (int8_t)ec_clamp(ec_multiply(sum, layer->multiplier, layer->shift) + layer->out_offset, -128, 127);
    }
}

/* out: [outer][inner]; in: one row, or the whole input; scratch: sums [outer][inner]. */
static inline void ec_mean_sixteens(const struct ec_mean_sixteens *layer, int8_t *out, const int8_t *in, void *scratch)
{
    int32_t *const sums = (int32_t *)scratch;

    memset(sums, 0, sizeof(*sums) * (size_t)(layer->outer * layer->inner));
    ec_mean_sixteens_sum(layer, sums, in);
    ec_mean_sixteens_write(layer, out, sums);
}

/* Row y of `steps`: sums [outer][inner] gather, the last row writes out [outer][inner]. */
static inline void ec_mean_sixteens_accumulate(
    const struct ec_mean_sixteens *layer, int8_t *out, const int8_t *in, int32_t y, int32_t *sums)
{
    if (y == 0) {
        memset(sums, 0, sizeof(*sums) * (size_t)(layer->outer * layer->inner));
    }
    ec_mean_sixteens_sum(layer, sums, in);
    if (y == layer->steps - 1) {
        ec_mean_sixteens_write(layer, out, sums);
    }
}

#endif
