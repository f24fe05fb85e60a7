/* MEAN, int8, over height, width or both, 16 channels at a time: sums times one factor, which holds the division. */
#ifndef EDGECNN_MEAN_VECTORS_H
#define EDGECNN_MEAN_VECTORS_H

#include "lanes.h"

/* Output [o][i] sums in[o * outer_step + i + l * line_step + t * tap_step] over lines l and taps t. */
struct ec_mean_vectors {
    const int32_t *multiplier, *shift; /* [16], all the same; the shift is below 0 */
    int32_t outer, outer_step;
    int32_t inner, inner_step; /* the step is 1 */
    int32_t lines, line_step;
    int32_t taps, tap_step;
    int32_t in_offset, out_offset; /* minus the input's zero point times all that is summed, the output's zero point */
};

/* out: [outer][inner]; in: one row, or the whole input. */
static inline void ec_mean_vectors(const struct ec_mean_vectors *layer, int8_t *out, const int8_t *in)
{
    const struct ec_scale scale = ec_load_scale(layer->multiplier, layer->shift, layer->out_offset);
    const int32_t inner = layer->inner, taps = layer->taps;
    int32_t o, i, line, tap;

    for (o = 0; o < layer->outer; o++, in += layer->outer_step, out += inner) {
        for (i = 0; i < inner; i += 16) {
            ec_lanes sums = ec_same_lanes(layer->in_offset);
            for (line = 0; line < layer->lines; line++) {
                const int8_t *from = in + i + line * layer->line_step;
                for (tap = 0; tap < taps; tap++, from += layer->tap_step) {
                    sums = ec_add_lanes(sums, ec_widen(ec_load_bytes(from, inner - i)));
                }
            }
            ec_store_bytes(out + i, ec_requantize_lanes(sums, &scale, 1), inner - i);
        }
    }
}

#endif
