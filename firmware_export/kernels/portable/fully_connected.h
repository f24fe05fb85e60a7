/* FULLY_CONNECTED, int8, per tensor or per channel. */
#ifndef EDGECNN_FULLY_CONNECTED_H
#define EDGECNN_FULLY_CONNECTED_H

#include "dot.h"
#include "requantize.h"

struct ec_fully_connected {
    const int8_t *weights;     /* [steps][out_size / 8][in_size][8], the rest by 4 and by 1 */
    const int32_t *bias;       /* [out_size] */
    const int32_t *multiplier; /* [out_size] */
    const int8_t *shift;       /* [out_size], see requantize.h */
    int32_t in_size, out_size; /* of a step */
    int32_t steps;             /* rows that ec_fully_connected_accumulate adds up */
    int32_t weights_offset;    /* minus the weights' zero point */
    int32_t in_offset, out_offset;
    int32_t low, high; /* of the fused activation */
    int32_t large_factors;         /* whether a shift is negative */
};

/* Adds what the weights' zero point comes to: weights_offset * (sum of in[i] + in_offset), for each output the same. */
static inline void ec_fully_connected_add_offset(
    const struct ec_fully_connected *layer, int32_t *sums, const int8_t *in, int32_t count)
{
    int32_t i, total = 0;

    for (i = 0; i < layer->in_size; i++) {
        total += in[i] + layer->in_offset;
    }
    for (i = 0; i < count; i++) {
        sums[i] += total * layer->weights_offset;
    }
}

static inline void ec_fully_connected_requantize(
    const struct ec_fully_connected *layer, int8_t *out, const int32_t *sums, int32_t first, int32_t count)
{
    if (layer->large_factors) {
        ec_requantize_any(
        out, sums, count, layer->bias + first, layer->multiplier + first, layer->shift + first, layer->out_offset,
        layer->low, layer->high);
    } else {
        ec_requantize(
        out, sums, count, layer->bias + first, layer->multiplier + first, layer->shift + first, layer->out_offset,
        layer->low, layer->high);
    }
}

/* out: [out_size]; in: [in_size]. */
static inline void ec_fully_connected(const struct ec_fully_connected *layer, int8_t *out, const int8_t *in)
{
    const int8_t *weights = layer->weights;
    int32_t o, block, sums[EC_BLOCK];

    for (o = 0; o < layer->out_size; o += block) {
        block = ec_block(layer->out_size - o);
        ec_clear_block(sums);
        ec_dot(block, sums, in, weights, layer->in_size, layer->in_offset);
        if (layer->weights_offset != 0) {
            ec_fully_connected_add_offset(layer, sums, in, block);
        }
        ec_fully_connected_requantize(layer, out + o, sums, o, block);
        weights += block * layer->in_size;
    }
}

/* Adds row y of `steps`, in [in_size], to sums [out_size]; writes out with the last. */
static inline void ec_fully_connected_accumulate(
    const struct ec_fully_connected *layer, int8_t *out, const int8_t *in, int32_t y, int32_t *sums)
{
    const int8_t *weights = layer->weights + y * layer->in_size * layer->out_size;
    int32_t o, block;

    if (y == 0) {
        memset(sums, 0, sizeof(*sums) * (size_t)layer->out_size);
    }
    for (o = 0; o < layer->out_size; o += block) {
        block = ec_block(layer->out_size - o);
        ec_dot(block, sums + o, in, weights, layer->in_size, layer->in_offset);
        weights += block * layer->in_size;
    }
    if (layer->weights_offset != 0) {
        ec_fully_connected_add_offset(layer, sums, in, layer->out_size);
    }
    if (y == layer->steps - 1) {
        ec_fully_connected_requantize(layer, out, sums, 0, layer->out_size);
    }
}

#endif
