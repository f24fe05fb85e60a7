/* BATCH_TO_SPACE_ND: one row of the large image, its pixels in turn from rows of block_w small ones. Elements of any type. */
#ifndef EDGECNN_BATCH_TO_SPACE_ND_H
#define EDGECNN_BATCH_TO_SPACE_ND_H

#include "fixed_point.h"

struct ec_batch_to_space_nd {
    int32_t out_width;
    int32_t pixel;     /* bytes of all channels */
    int32_t block_w;   /* pixels from one of a small image to its next */
    int32_t crop_left; /* pixels that are left out in front */
};

/* The pixels of one small image; out: the large row, in: [width][pixel], column: of the image's first pixel in a block. */
static inline void ec_batch_to_space_nd_weave(
    const struct ec_batch_to_space_nd *layer, void *out, const void *in, int32_t column)
{
    const int8_t *const from = (const int8_t *)in;
    int8_t *const to = (int8_t *)out;
    const int32_t pixel = layer->pixel, block = layer->block_w, width = layer->out_width;
    int32_t source = 0, x = column - layer->crop_left;

    if (x < 0) {
        source = (block - 1 - x) / block;
        x += source * block;
    }
    for (; x < width; x += block, source++) {
        memcpy(to + x * pixel, from + source * pixel, (size_t)pixel);
    }
}

/* out: [out_width][pixel]; in: rows of block_w small images, [width][pixel] each. */
static inline void ec_batch_to_space_nd(const struct ec_batch_to_space_nd *layer, int8_t *out, const int8_t *const *in)
{
    int32_t column;

    for (column = 0; column < layer->block_w; column++) {
        ec_batch_to_space_nd_weave(layer, out, in[column], column);
    }
}

static inline void ec_batch_to_space_nd_int32(
    const struct ec_batch_to_space_nd *layer, int32_t *out, const int32_t *const *in)
{
    int32_t column;

    for (column = 0; column < layer->block_w; column++) {
        ec_batch_to_space_nd_weave(layer, out, in[column], column);
    }
}

static inline void ec_batch_to_space_nd_float(const struct ec_batch_to_space_nd *layer, float *out, const float *const *in)
{
    int32_t column;

    for (column = 0; column < layer->block_w; column++) {
        ec_batch_to_space_nd_weave(layer, out, in[column], column);
    }
}

#endif
