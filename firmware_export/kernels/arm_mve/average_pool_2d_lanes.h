/* AVERAGE_POOL_2D, int8, four channels at a time, for Helium. One output row from kernel_h input rows; NULL stands for
 * a row outside the image. */
#ifndef EDGECNN_AVERAGE_POOL_2D_LANES_H
#define EDGECNN_AVERAGE_POOL_2D_LANES_H

#include "fixed_point.h"
#include "helium.h"

struct ec_average_pool_2d_lanes {
    int32_t in_width, channels; /* a multiple of 4 */
    int32_t out_width;
    int32_t kernel_h, kernel_w;
    int32_t stride_w, pad_left;
    int32_t steps;     /* rows that are added up one after another */
    int32_t low, high; /* of the fused activation */
};

/* Pixels of a window that lie inside the image: padding does not count. */
struct ec_average_pool_2d_lanes_taps {
    int32_t first, count;
};

static inline struct ec_average_pool_2d_lanes_taps ec_average_pool_2d_lanes_find_taps(
    const struct ec_average_pool_2d_lanes *layer, int32_t x)
{
    const int32_t left = x * layer->stride_w - layer->pad_left;
    const int32_t end = left + layer->kernel_w < layer->in_width ? left + layer->kernel_w : layer->in_width;
    struct ec_average_pool_2d_lanes_taps taps;

    taps.first = left > 0 ? left : 0;
    taps.count = end - taps.first;
    return taps;
}

/* sums[c] += in[i * channels + c] for i < count, which is 1 or more. */
static EC_OUT_OF_LINE void ec_sum_pixels(int32_t *sums, const int8_t *in, int32_t channels, int32_t count)
{
    int32_t left;

    for (left = channels; left > 0; left -= 4, in += 4, sums += 4) {
        register const int8_t *pixel __asm__("r1") = in;
        __asm__ volatile(
            "vldrw.u32 q0, [%[sums]]\n\t"
            "dls lr, %[count]\n"
            "1:\n\t"
            "vldrb.s32 q1, [%[pixel]]\n\t"
            "add %[pixel], %[pixel], %[channels]\n\t"
            "vadd.i32 q0, q0, q1\n\t"
            "le lr, 1b\n\t"
            "vstrw.32 q0, [%[sums]]"
            : [pixel] "+&r"(pixel)
            : [sums] "r"(sums), [channels] "r"(channels), [count] "r"(count)
            : "d0", "d1", "d2", "d3", "lr", "cc", "memory");
    }
}

/* Each sum / count, half away from zero, within the activation's range. */
static EC_OUT_OF_LINE void ec_average_pool_2d_lanes_write(
    const struct ec_average_pool_2d_lanes *layer, int8_t *out, const int32_t *sums, int32_t count)
{
    const int32_t half = count / 2;
    int32_t c;

    for (c = 0; c < layer->channels; c++) {
        const int32_t sum = sums[c];
        out[c] = (int8_t)ec_clamp((sum > 0 ? sum + half : sum - half) / count, layer->low, layer->high);
    }
}

/* out: [out_width][channels]; in: kernel_h rows of [in_width][channels]; scratch: sums [channels]. */
static inline void ec_average_pool_2d_lanes(
    const struct ec_average_pool_2d_lanes *layer, int8_t *out, const int8_t *const *in, void *scratch)
{
    const int32_t channels = layer->channels;
    int32_t *const sums = (int32_t *)scratch;
    int32_t x, ky;

    for (x = 0; x < layer->out_width; x++, out += channels) {
        const struct ec_average_pool_2d_lanes_taps taps = ec_average_pool_2d_lanes_find_taps(layer, x);
        int32_t rows = 0;
        memset(sums, 0, sizeof(*sums) * (size_t)channels);
        for (ky = 0; ky < layer->kernel_h; ky++) {
            if (in[ky] != NULL) {
                rows++;
                ec_sum_pixels(sums, in[ky] + taps.first * channels, channels, taps.count);
            }
        }
        ec_average_pool_2d_lanes_write(layer, out, sums, taps.count * rows);
    }
}

/* For a single output row: adds input row y of `steps` to sums [out_width][channels], and writes out with the last. */
static inline void ec_average_pool_2d_lanes_accumulate(
    const struct ec_average_pool_2d_lanes *layer, int8_t *out, const int8_t *in, int32_t y, int32_t *sums)
{
    const int32_t channels = layer->channels;
    int32_t x;

    if (y == 0) {
        memset(sums, 0, sizeof(*sums) * (size_t)(layer->out_width * channels));
    }
    for (x = 0; x < layer->out_width; x++, out += channels, sums += channels) {
        const struct ec_average_pool_2d_lanes_taps taps = ec_average_pool_2d_lanes_find_taps(layer, x);
        ec_sum_pixels(sums, in + taps.first * channels, channels, taps.count);
        if (y == layer->steps - 1) {
            ec_average_pool_2d_lanes_write(layer, out, sums, taps.count * layer->steps);
        }
    }
}

#endif
