/* MAX_POOL_2D, int8, 16 channels at a time. One output row from kernel_h input rows; NULL stands for a row outside the
 * image. */
#ifndef EDGECNN_MAX_POOL_2D_VECTORS_H
#define EDGECNN_MAX_POOL_2D_VECTORS_H

#include "lanes.h"

struct ec_max_pool_2d_vectors {
    int32_t in_width, channels;
    int32_t out_width;
    int32_t kernel_h, kernel_w;
    int32_t stride_w, pad_left;
    int32_t low, high; /* of the fused activation */
};

/* out: [out_width][channels]; in: kernel_h rows of [in_width][channels]. */
static inline void ec_max_pool_2d_vectors(
    const struct ec_max_pool_2d_vectors *layer, int8_t *out, const int8_t *const *in)
{
    const int32_t channels = layer->channels, kernel_h = layer->kernel_h;
    const int32_t low = layer->low, high = layer->high;
    int32_t x, c, ky, i;

    for (x = 0; x < layer->out_width; x++, out += channels) {
        const int32_t left = x * layer->stride_w - layer->pad_left, right = left + layer->kernel_w;
        const int32_t first = left > 0 ? left : 0, end = right < layer->in_width ? right : layer->in_width;
        for (c = 0; c < channels; c += 16) {
            ec_bytes largest = ec_same_byte(-128);
            for (ky = 0; ky < kernel_h; ky++) {
                for (i = first; i < end && in[ky] != NULL; i++) {
                    largest = ec_max_bytes(largest, ec_load_bytes(in[ky] + i * channels + c, channels - c));
                }
            }
            ec_store_bytes(out + c, ec_clamp_bytes(largest, low, high), channels - c);
        }
    }
}

#endif
