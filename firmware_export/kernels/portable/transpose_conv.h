/* TRANSPOSE_CONV, int8, per channel. One output row gathers what the input rows around it spread; NULL stands for a row
 * outside the image. */
#ifndef EDGECNN_TRANSPOSE_CONV_H
#define EDGECNN_TRANSPOSE_CONV_H

#include "dot.h"
#include "requantize.h"

struct ec_transpose_conv {
    const int8_t *weights;     /* [out_channels / 8][kernel_h][kernel_w][in_channels][8], the rest by 4 and by 1 */
    const int32_t *bias;       /* [out_channels] */
    const int32_t *multiplier; /* [out_channels] */
    const int8_t *shift;       /* [out_channels], see requantize.h */
    int32_t in_width, in_channels;
    int32_t out_width, out_channels;
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t pad_top, pad_left;
    int32_t rows;                  /* input rows that an output row can see */
    int32_t in_offset, out_offset; /* minus the input's zero point, the output's zero point */
    int32_t low, high;             /* of the fused activation */
    int32_t large_factors;         /* whether a shift is negative */
};

/* Input pixel i reaches output pixel `at` with tap at + pad - i * stride of the kernel. The first that may: */
static inline int32_t ec_transpose_conv_first(int32_t at, int32_t pad, int32_t kernel, int32_t stride)
{
    const int32_t ahead = at + pad - kernel; /* i * stride has to be more */
    return ahead < 0 ? 0 : ahead / stride + 1;
}

/* out: [out_width][out_channels]; in: the rows of [in_width][in_channels] from the first that reaches output row y. */
static inline void ec_transpose_conv(
    const struct ec_transpose_conv *layer, int8_t *out, const int8_t *const *in, int32_t y)
{
    const int32_t channels = layer->in_channels, out_channels = layer->out_channels;
    const int32_t kernel_w = layer->kernel_w, stride_w = layer->stride_w;
    const int32_t from_top = y + layer->pad_top;
    const int32_t first_row = ec_transpose_conv_first(y, layer->pad_top, layer->kernel_h, layer->stride_h);
    int32_t x, c, block, sums[EC_BLOCK];

    for (x = 0; x < layer->out_width; x++) {
        const int32_t from_left = x + layer->pad_left;
        const int32_t first = ec_transpose_conv_first(x, layer->pad_left, kernel_w, stride_w);
        const int8_t *weights = layer->weights;

        for (c = 0; c < out_channels; c += block) {
            int32_t k, ky, i, kx, tap;

            block = ec_block(out_channels - c);
            tap = channels * block; /* from one tap's weights to the next */
            ec_clear_block(sums);
            ky = from_top - first_row * layer->stride_h;
            for (k = 0; k < layer->rows && ky >= 0; k++, ky -= layer->stride_h) {
                if (in[k] == NULL) {
                    continue;
                }
                kx = from_left - first * stride_w;
                for (i = first; i < layer->in_width && kx >= 0; i++, kx -= stride_w) {
                    const int8_t *of_tap = weights + (ky * kernel_w + kx) * tap;
                    ec_dot(block, sums, in[k] + i * channels, of_tap, channels, layer->in_offset);
                }
            }
            weights += layer->kernel_h * kernel_w * tap;
            if (layer->large_factors) {
                ec_requantize_any(
                out, sums, block, layer->bias + c, layer->multiplier + c, layer->shift + c, layer->out_offset,
                layer->low, layer->high);
            } else {
                ec_requantize(
                out, sums, block, layer->bias + c, layer->multiplier + c, layer->shift + c, layer->out_offset,
                layer->low, layer->high);
            }
            out += block;
        }
    }
}

#endif
