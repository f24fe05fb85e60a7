/* AVERAGE_POOL_2D, int16. One output row from kernel_h input rows; NULL stands for a row outside the image. */
#ifndef EDGECNN_AVERAGE_POOL_2D_INT16_H
#define EDGECNN_AVERAGE_POOL_2D_INT16_H

#include "fixed_point.h"

struct ec_average_pool_2d_int16 {
    int32_t in_width, channels;
    int32_t out_width;
    int32_t kernel_h, kernel_w;
    int32_t stride_w, pad_left;
    int32_t steps;     /* rows that ec_average_pool_2d_int16_accumulate adds up */
    int32_t low, high; /* of the fused activation */
};

/* Pixels of a window that lie inside the image: padding does not count. */
struct ec_average_pool_2d_int16_taps {
    int32_t first, count;
};

static inline struct ec_average_pool_2d_int16_taps ec_average_pool_2d_int16_find_taps(
    const struct ec_average_pool_2d_int16 *layer, int32_t x)
{
    const int32_t left = x * layer->stride_w - layer->pad_left;
    const int32_t end = left + layer->kernel_w < layer->in_width ? left + layer->kernel_w : layer->in_width;
    struct ec_average_pool_2d_int16_taps taps;

    taps.first = left > 0 ? left : 0;
    taps.count = end - taps.first;
    return taps;
}

static inline int32_t ec_average_pool_2d_int16_sum(const int16_t *pixel, int32_t channels, int32_t count)
{
    int32_t sum = 0;

    for (; count > 0; count--, pixel += channels) {
        sum += *pixel;
    }
    return sum;
}

/* sum / count, half away from zero, within the activation's range. */
static inline int16_t ec_average_pool_2d_int16_divide(
    const struct ec_average_pool_2d_int16 *layer, int32_t sum, int32_t count)
{
    const int32_t half = count / 2;
    return (int16_t)ec_clamp((sum > 0 ? sum + half : sum - half) / count, layer->low, layer->high);
}

/* out: [out_width][channels]; in: kernel_h rows of [in_width][channels]. */
static inline void ec_average_pool_2d_int16(
    const struct ec_average_pool_2d_int16 *layer, int16_t *out, const int16_t *const *in)
{
    const int32_t channels = layer->channels, kernel_h = layer->kernel_h;
    int32_t x, c, ky, rows = 0;

    for (ky = 0; ky < kernel_h; ky++) {
        rows += in[ky] != NULL;
    }
    for (x = 0; x < layer->out_width; x++) {
        const struct ec_average_pool_2d_int16_taps taps = ec_average_pool_2d_int16_find_taps(layer, x);
        for (c = 0; c < channels; c++) {
            int32_t sum = 0;
            for (ky = 0; ky < kernel_h; ky++) {
                if (in[ky] != NULL) {
                    sum += ec_average_pool_2d_int16_sum(in[ky] + taps.first * channels + c, channels, taps.count);
                }
            }
            *out++ = ec_average_pool_2d_int16_divide(layer, sum, taps.count * rows);
        }
    }
}

/* For a single output row: adds input row y of `steps` to sums [out_width][channels], and writes out with the last. */
static inline void ec_average_pool_2d_int16_accumulate(
    const struct ec_average_pool_2d_int16 *layer, int16_t *out, const int16_t *in, int32_t y, int32_t *sums)
{
    const int32_t channels = layer->channels;
    int32_t x, c;

    for (x = 0; x < layer->out_width; x++) {
        const struct ec_average_pool_2d_int16_taps taps = ec_average_pool_2d_int16_find_taps(layer, x);
        for (c = 0; c < channels; c++) {
            const int32_t row = ec_average_pool_2d_int16_sum(in + taps.first * channels + c, channels, taps.count);
            const int32_t sum = (y == 0 ? 0 : *sums) + row;
            *sums++ = sum;
            if (y == layer->steps - 1) {
                *out++ = ec_average_pool_2d_int16_divide(layer, sum, taps.count * layer->steps);
            }
        }
    }
}

#endif
