/* MAX_POOL_2D, int16. One output row from kernel_h input rows; NULL stands for a row outside the image. */
#ifndef EDGECNN_MAX_POOL_2D_INT16_H
#define EDGECNN_MAX_POOL_2D_INT16_H

#include "fixed_point.h"

struct ec_max_pool_2d_int16 {
    int32_t in_width, channels;
    int32_t out_width;
    int32_t kernel_h, kernel_w;
    int32_t stride_w, pad_left;
    int32_t steps;     /* rows that ec_max_pool_2d_int16_accumulate takes */
    int32_t low, high; /* of the fused activation */
};

/* largest: [out_width][channels]. */
static inline void ec_max_pool_2d_int16_start(const struct ec_max_pool_2d_int16 *layer, int16_t *largest)
{
    const int16_t low = (int16_t)layer->low;
    const int32_t size = layer->out_width * layer->channels;
    int32_t i;

    for (i = 0; i < size; i++) {
        largest[i] = low;
    }
}

/* largest: [out_width][channels], which one row may raise. */
static inline void ec_max_pool_2d_int16_take_row(
    const struct ec_max_pool_2d_int16 *layer, int16_t *largest, const int16_t *row)
{
    const int32_t channels = layer->channels;
    int32_t x, kx, c;

    for (x = 0; x < layer->out_width; x++, largest += channels) {
        const int32_t left = x * layer->stride_w - layer->pad_left;
        for (kx = 0; kx < layer->kernel_w; kx++) {
            if (left + kx >= 0 && left + kx < layer->in_width) {
                const int16_t *pixel = row + (left + kx) * channels;
                for (c = 0; c < channels; c++) {
                    if (pixel[c] > largest[c]) {
                        largest[c] = pixel[c];
                    }
                }
            }
        }
    }
}

static inline void ec_max_pool_2d_int16_finish(
    const struct ec_max_pool_2d_int16 *layer, int16_t *out, const int16_t *largest)
{
    const int32_t high = layer->high, size = layer->out_width * layer->channels;
    int32_t i;

    for (i = 0; i < size; i++) {
        out[i] = (int16_t)(largest[i] > high ? high : largest[i]);
    }
}

/* out: [out_width][channels]; in: kernel_h rows of [in_width][channels]. */
static inline void ec_max_pool_2d_int16(
    const struct ec_max_pool_2d_int16 *layer, int16_t *out, const int16_t *const *in)
{
    int32_t ky;

    ec_max_pool_2d_int16_start(layer, out);
    for (ky = 0; ky < layer->kernel_h; ky++) {
        if (in[ky] != NULL) {
            ec_max_pool_2d_int16_take_row(layer, out, in[ky]);
        }
    }
    if (layer->high < INT16_MAX) {
        ec_max_pool_2d_int16_finish(layer, out, out);
    }
}

/* For a single output row: takes input row y of `steps`. sums: the largest so far, as int16 [out_width][channels]. */
static inline void ec_max_pool_2d_int16_accumulate(
    const struct ec_max_pool_2d_int16 *layer, int16_t *out, const int16_t *in, int32_t y, int32_t *sums)
{
    int16_t *const largest = (int16_t *)(void *)sums;

    if (y == 0) {
        ec_max_pool_2d_int16_start(layer, largest);
    }
    ec_max_pool_2d_int16_take_row(layer, largest, in);
    if (y == layer->steps - 1) {
        ec_max_pool_2d_int16_finish(layer, out, largest);
    }
}

#endif
