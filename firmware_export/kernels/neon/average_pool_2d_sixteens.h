/* AVERAGE_POOL_2D, int8, 16 channels at a time, for Neon. One output row from kernel_h input rows; NULL
 * stands for a row outside the image. */
#ifndef EDGECNN_AVERAGE_POOL_2D_SIXTEENS_H
#define EDGECNN_AVERAGE_POOL_2D_SIXTEENS_H

#include "fixed_point.h"
#include "pixels.h"

struct ec_average_pool_2d_sixteens {
    int32_t in_width, channels;
    int32_t out_width;
    int32_t kernel_h, kernel_w;
    int32_t stride_w, pad_left;
    int32_t steps;     /* rows that are added up one after another */
    int32_t low, high; /* of the fused activation */
};

/* Pixels of a window that lie inside the image: padding does not count. */
struct ec_average_pool_2d_sixteens_taps {
    int32_t first, count;
};

static inline struct ec_average_pool_2d_sixteens_taps ec_average_pool_2d_sixteens_find_taps(
    const struct ec_average_pool_2d_sixteens *layer, int32_t x)
{
    const int32_t left = x * layer->stride_w - layer->pad_left;
    const int32_t end = left + layer->kernel_w < layer->in_width ? left + layer->kernel_w : layer->in_width;
    struct ec_average_pool_2d_sixteens_taps taps;

    taps.first = left > 0 ? left : 0;
    taps.count = end - taps.first;
    return taps;
}

/* sum / count, half away from zero, within the activation's range. */
static inline int8_t ec_average_pool_2d_sixteens_divide(
    const struct ec_average_pool_2d_sixteens *layer, int32_t sum, int32_t count)
{
    const int32_t half = count / 2;
    return (int8_t)ec_clamp((sum > 0 ? sum + half : sum - half) / count, layer->low, layer->high);
}

static inline void ec_average_pool_2d_sixteens_write(
    const struct ec_average_pool_2d_sixteens *layer, int8_t *out, const int32_t *sums, int32_t count)
{
    int32_t c;

    for (c = 0; c < layer->channels; c++) {
        out[c] = ec_average_pool_2d_sixteens_divide(layer, sums[c], count);
    }
}

/* out: [out_width][channels]; in: kernel_h rows of [in_width][channels]; scratch: sums [channels]. */
static inline void ec_average_pool_2d_sixteens(
    const struct ec_average_pool_2d_sixteens *layer, int8_t *out, const int8_t *const *in, void *scratch)
{
    const int32_t channels = layer->channels;
    int32_t *const sums = (int32_t *)scratch;
    int32_t x, ky;

    for (x = 0; x < layer->out_width; x++, out += channels) {
        const struct ec_average_pool_2d_sixteens_taps taps = ec_average_pool_2d_sixteens_find_taps(layer, x);
        int32_t rows = 0;
        memset(sums, 0, sizeof(*sums) * (size_t)channels);
        for (ky = 0; ky < layer->kernel_h; ky++) {
            if (in[ky] != NULL) {
                rows++;
                ec_sum_pixels(sums, in[ky] + taps.first * channels, channels, channels, taps.count);
            }
        }
        ec_average_pool_2d_sixteens_write(layer, out, sums, taps.count * rows);
    }
}

/* For a single output row: adds input row y of `steps` to sums [out_width][channels], and writes out with the last. */
static inline void ec_average_pool_2d_sixteens_accumulate(
    const struct ec_average_pool_2d_sixteens *layer, int8_t *out, const int8_t *in, int32_t y, int32_t *sums)
{
    const int32_t channels = layer->channels;
    int32_t x;

    if (y == 0) {
        memset(sums, 0, sizeof(*sums) * (size_t)(layer->out_width * channels));
    }
    for (x = 0; x < layer->out_width; x++, out += channels, sums += channels) {
        const struct ec_average_pool_2d_sixteens_taps taps = ec_average_pool_2d_sixteens_find_taps(layer, x);
        ec_sum_pixels(sums, in + taps.first * channels, channels, channels, taps.count);
        if (y == layer->steps - 1) {
            ec_average_pool_2d_sixteens_write(layer, out, sums, taps.count * layer->steps);
        }
    }
}

#endif
