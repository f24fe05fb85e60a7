/* REDUCE_MAX and REDUCE_MIN, int8, over any axes. */
#ifndef EDGECNN_REDUCE_MAX_H
#define EDGECNN_REDUCE_MAX_H

#include "fixed_point.h"

/* Output [o][i] is the best of in[o * outer_step + i * inner_step + l * line_step + t * tap_step] over lines l and taps t. */
struct ec_reduce_max {
    int32_t outer, outer_step;
    int32_t inner, inner_step;
    int32_t lines, line_step;
    int32_t taps, tap_step;
    int32_t steps; /* rows that ec_reduce_max_accumulate looks through */
    int32_t flip;  /* 0: the largest; -1: the smallest, as the largest of the inverted bits */
};

/* The largest of `best` and the inputs of one output, bits as `flip` leaves them. */
static inline int32_t ec_reduce_max_search(const struct ec_reduce_max *layer, const int8_t *in, int32_t best)
{
    const int32_t taps = layer->taps, step = layer->tap_step, flip = layer->flip;
    int32_t line, tap;

    for (line = 0; line < layer->lines; line++, in += layer->line_step) {
        const int8_t *from = in;
        for (tap = 0; tap < taps; tap++, from += step) {
            const int32_t value = *from ^ flip;
            best = value > best ? value : best;
        }
    }
    return best;
}

/* out: [outer][inner]; in: one row, or the whole input. */
static inline void ec_reduce_max(const struct ec_reduce_max *layer, int8_t *out, const int8_t *in)
{
    const int32_t flip = layer->flip;
    int32_t o, i;

    for (o = 0; o < layer->outer; o++, in += layer->outer_step) {
        const int8_t *from = in;
        for (i = 0; i < layer->inner; i++, from += layer->inner_step) {
            *out++ = (int8_t)(ec_reduce_max_search(layer, from, -128) ^ flip);
        }
    }
}

/* Row y of `steps`: the sums hold the best so far, int8 [outer][inner]; the last row writes out [outer][inner]. */
static inline void ec_reduce_max_accumulate(
    const struct ec_reduce_max *layer, int8_t *out, const int8_t *in, int32_t y, int32_t *sums)
{
    const int32_t flip = layer->flip;
    int8_t *best = (int8_t *)sums;
    int32_t o, i;

    for (o = 0; o < layer->outer; o++, in += layer->outer_step) {
        const int8_t *from = in;
        for (i = 0; i < layer->inner; i++, from += layer->inner_step) {
            const int32_t value = ec_reduce_max_search(layer, from, y == 0 ? -128 : *best);
            *best++ = (int8_t)value;
            if (y == layer->steps - 1) {
                *out++ = (int8_t)(value ^ flip);
            }
        }
    }
}

#endif
