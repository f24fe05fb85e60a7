/* MAX_POOL_2D, int8, 16 channels at a time, for Neon. One output row from kernel_h input rows; NULL
 * stands for a row outside the image. */
#ifndef EDGECNN_MAX_POOL_2D_SIXTEENS_H
#define EDGECNN_MAX_POOL_2D_SIXTEENS_H

#include "fixed_point.h"
#include "pixels.h"

struct ec_max_pool_2d_sixteens {
    int32_t in_width, channels;
    int32_t out_width;
    int32_t kernel_h, kernel_w;
    int32_t stride_w, pad_left;
    int32_t steps;     /* rows that are taken one after another */
    int32_t low, high; /* of the fused activation */
};

/* largest: [out_width][channels], which one row may raise. */
static inline void ec_max_pool_2d_sixteens_take_row(
    const struct ec_max_pool_2d_sixteens *layer, int8_t *largest, const int8_t *row)
{
    const int32_t channels = layer->channels;
    int32_t x;

    for (x = 0; x < layer->out_width; x++, largest += channels) {
        const int32_t left = x * layer->stride_w - layer->pad_left;
        const int32_t first = left > 0 ? left : 0;
        const int32_t end = left + layer->kernel_w < layer->in_width ? left + layer->kernel_w : layer->in_width;
        ec_max_pixels(largest, row + first * channels, channels, channels, end - first);
    }
}

static inline void ec_max_pool_2d_sixteens_finish(
    const struct ec_max_pool_2d_sixteens *layer, int8_t *out, const int8_t *largest)
{
    const int32_t high = layer->high, size = layer->out_width * layer->channels;
    int32_t i;

    for (i = 0; i < size; i++) {
        out[i] = (int8_t)(largest[i] > high ? high : largest[i]);
    }
}

/* out: [out_width][channels]; in: kernel_h rows of [in_width][channels]. */
static inline void ec_max_pool_2d_sixteens(
    const struct ec_max_pool_2d_sixteens *layer, int8_t *out, const int8_t *const *in)
{
    int32_t ky;

    memset(out, layer->low, (size_t)(layer->out_width * layer->channels));
    for (ky = 0; ky < layer->kernel_h; ky++) {
        if (in[ky] != NULL) {
            ec_max_pool_2d_sixteens_take_row(layer, out, in[ky]);
        }
    }
    if (layer->high < 127) {
        ec_max_pool_2d_sixteens_finish(layer, out, out);
    }
}

/* For a single output row: takes input row y of `steps`. sums: the largest so far, as bytes [out_width][channels]. */
static inline void ec_max_pool_2d_sixteens_accumulate(
    const struct ec_max_pool_2d_sixteens *layer, int8_t *out, const int8_t *in, int32_t y, int32_t *sums)
{
    int8_t *const largest = (int8_t *)(void *)sums;

    if (y == 0) {
        memset(largest, layer->low, (size_t)(layer->out_width * layer->channels));
    }
    ec_max_pool_2d_sixteens_take_row(layer, largest, in);
    if (y == layer->steps - 1) {
        ec_max_pool_2d_sixteens_finish(layer, out, largest);
    }
}

#endif
