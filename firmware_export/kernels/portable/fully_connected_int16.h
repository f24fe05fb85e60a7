/* FULLY_CONNECTED, int16 with int8 weights, per tensor or per channel. */
#ifndef EDGECNN_FULLY_CONNECTED_INT16_H
#define EDGECNN_FULLY_CONNECTED_INT16_H

#include "dot_int16.h"
#include "requantize_int16.h"

struct ec_fully_connected_int16 {
    const int8_t *weights;     /* [steps][out_size / 8][in_size][8], the rest by 4 and by 1 */
    const int32_t *bias;       /* [out_size]; this and the next four: see requantize_int16.h */
    const int64_t *wide_bias;  /* [out_size] */
    const int32_t *multiplier; /* [out_size] */
    const int8_t *shift;       /* [out_size] */
    int32_t rounding;
    int32_t in_size, out_size; /* of a step */
    int32_t steps;             /* rows that ec_fully_connected_int16_accumulate adds up */
    int32_t low, high;         /* of the fused activation */
};

static inline struct ec_requantize_int16 ec_fully_connected_int16_end(const struct ec_fully_connected_int16 *layer)
{
    const struct ec_requantize_int16 end = {
        layer->bias, layer->wide_bias, layer->multiplier, layer->shift, layer->rounding, layer->low, layer->high};
    return end;
}

/* out: [out_size]; in: [in_size]. */
static inline void ec_fully_connected_int16(
    const struct ec_fully_connected_int16 *layer, int16_t *out, const int16_t *in)
{
    const struct ec_requantize_int16 end = ec_fully_connected_int16_end(layer);
    const int8_t *weights = layer->weights;
    int32_t o, block, sums[EC_BLOCK_INT16];
    int64_t wide[EC_BLOCK_INT16];

    for (o = 0; o < layer->out_size; o += block) {
        block = ec_block_int16(layer->out_size - o);
        if (layer->rounding == EC_WIDE) {
            memset(wide, 0, sizeof(wide));
            ec_dot_int16_wide(block, wide, in, weights, layer->in_size);
            ec_requantize_int16_wide(&end, out + o, wide, o, block);
        } else {
            ec_clear_block_int16(sums);
            ec_dot_int16(block, sums, in, weights, layer->in_size);
            ec_requantize_int16(&end, out + o, sums, o, block);
        }
        weights += block * layer->in_size;
    }
}

/* Adds row y of `steps`, in [in_size], to sums [out_size], int32, or int64 as two int32 each; writes out with the last. */
static inline void ec_fully_connected_int16_accumulate(
    const struct ec_fully_connected_int16 *layer, int16_t *out, const int16_t *in, int32_t y, int32_t *sums)
{
    const struct ec_requantize_int16 end = ec_fully_connected_int16_end(layer);
    const int8_t *weights = layer->weights + y * layer->in_size * layer->out_size;
    const int is_wide = layer->rounding == EC_WIDE;
    const int32_t words = is_wide ? 2 : 1; /* of a sum */
    int32_t o, block;
    int64_t wide[EC_BLOCK_INT16];

    if (y == 0) {
        memset(sums, 0, sizeof(*sums) * (size_t)(words * layer->out_size));
    }
    for (o = 0; o < layer->out_size; o += block, sums += words * block) {
        block = ec_block_int16(layer->out_size - o);
        if (is_wide) {
            memcpy(wide, sums, sizeof(*wide) * (size_t)block); /* the sums lie on a multiple of 4 only */
            ec_dot_int16_wide(block, wide, in, weights, layer->in_size);
            memcpy(sums, wide, sizeof(*wide) * (size_t)block);
        } else {
            ec_dot_int16(block, sums, in, weights, layer->in_size);
        }
        weights += block * layer->in_size;
        if (y == layer->steps - 1) {
            if (is_wide) {
                ec_requantize_int16_wide(&end, out + o, wide, o, block);
            } else {
                ec_requantize_int16(&end, out + o, sums, o, block);
            }
        }
    }
}

#endif
