/* DEPTHWISE_CONV_2D with multiplier 1, int16 with int8 weights, per channel. One output row from kernel_h input rows;
 * NULL stands for a row of padding, which adds nothing. (With another multiplier it is a CONV_2D in groups.) */
#ifndef EDGECNN_DEPTHWISE_CONV_2D_INT16_H
#define EDGECNN_DEPTHWISE_CONV_2D_INT16_H

#include "out_of_line.h"
#include "requantize_int16.h"

struct ec_depthwise_conv_2d_int16 {
    const int8_t *weights;     /* [channels / 8][kernel_h][kernel_w][8], the rest channel by channel */
    const int32_t *bias;       /* [channels]; this and the next four: see requantize_int16.h */
    const int64_t *wide_bias;  /* NULL: sums fit into int32 */
    const int32_t *multiplier; /* [channels] */
    const int8_t *shift;       /* [channels] */
    int32_t rounding;
    int32_t in_width, channels;
    int32_t out_width;
    int32_t kernel_h, kernel_w;
    int32_t stride_w, dilation_w, pad_left;
    int32_t low, high; /* of the fused activation */
};

/* The taps of a window's rows that lie inside the image. */
struct ec_depthwise_int16_taps {
    int32_t first, count;
    int32_t pixel; /* where the first one lies in a row, in elements */
    int32_t step;  /* from one to the next */
};

static inline struct ec_requantize_int16 ec_depthwise_conv_2d_int16_end(
    const struct ec_depthwise_conv_2d_int16 *layer)
{
    const struct ec_requantize_int16 end = {
        layer->bias, layer->wide_bias, layer->multiplier, layer->shift, layer->rounding, layer->low, layer->high};
    return end;
}

static inline struct ec_depthwise_int16_taps ec_depthwise_int16_find_taps(
    const struct ec_depthwise_conv_2d_int16 *layer, int32_t x)
{
    const int32_t dilation = layer->dilation_w, start = x * layer->stride_w - layer->pad_left;
    struct ec_depthwise_int16_taps taps;
    int32_t left = 0, right = layer->kernel_w;

    while (left < right && start + left * dilation < 0) {
        left++;
    }
    while (right > left && start + (right - 1) * dilation >= layer->in_width) {
        right--;
    }
    taps.first = left;
    taps.count = right - left;
    taps.pixel = (start + left * dilation) * layer->channels;
    taps.step = dilation * layer->channels;
    return taps;
}

/* sums[j] += in[t * step + j] * weights[t][j] for t < count and j < 8; count >= 1. */
static EC_OUT_OF_LINE void ec_depthwise_int16_8(
    int32_t *sums, const int16_t *in, int32_t step, const int8_t *weights, int32_t count)
{
    const int8_t *const end = weights + 8 * count;
    int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    int32_t sum4 = sums[4], sum5 = sums[5], sum6 = sums[6], sum7 = sums[7];

    do {
        sum0 += in[0] * weights[0];
        sum1 += in[1] * weights[1];
        sum2 += in[2] * weights[2];
        sum3 += in[3] * weights[3];
        sum4 += in[4] * weights[4];
        sum5 += in[5] * weights[5];
        sum6 += in[6] * weights[6];
        sum7 += in[7] * weights[7];
        weights += 8;
        in += step;
    } while (weights != end);
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
    sums[4] = sum4;
    sums[5] = sum5;
    sums[6] = sum6;
    sums[7] = sum7;
}

/* Adds the products of one input row for `block` channels from `channel` on. weights: [kernel_w][block]. */
static inline void ec_depthwise_int16_add_row(
    const struct ec_depthwise_int16_taps *taps,
    int32_t block,
    int32_t *sums,
    const int16_t *row,
    int32_t channel,
    const int8_t *weights)
{
    const int16_t *in = row + taps->pixel + channel;
    int32_t t;

    weights += block * taps->first;
    if (block == 8 && taps->count > 0) {
        ec_depthwise_int16_8(sums, in, taps->step, weights, taps->count);
    } else if (block == 1) {
        for (t = 0; t < taps->count; t++, in += taps->step) {
            *sums += *in * weights[t];
        }
    }
}

/* out: [out_width][channels]; in: kernel_h rows of [in_width][channels]. */
static inline void ec_depthwise_conv_2d_int16(
    const struct ec_depthwise_conv_2d_int16 *layer, int16_t *out, const int16_t *const *in)
{
    const struct ec_requantize_int16 end = ec_depthwise_conv_2d_int16_end(layer);
    const int32_t channels = layer->channels, kernel_h = layer->kernel_h, kernel_w = layer->kernel_w;
    int32_t x, c, ky, block, sums[8];

    for (x = 0; x < layer->out_width; x++) {
        const struct ec_depthwise_int16_taps taps = ec_depthwise_int16_find_taps(layer, x);
        const int8_t *weights = layer->weights;

        for (c = 0; c < channels; c += block) {
            block = channels - c >= 8 ? 8 : 1;
            memset(sums, 0, sizeof(sums));
            for (ky = 0; ky < kernel_h; ky++, weights += kernel_w * block) {
                if (in[ky] != NULL) {
                    ec_depthwise_int16_add_row(&taps, block, sums, in[ky], c, weights);
                }
            }
            ec_requantize_int16(&end, out, sums, c, block);
            out += block;
        }
    }
}

/* For a single output row: adds input row y of kernel_h to sums [out_width][channels], and writes out with the last. */
static inline void ec_depthwise_conv_2d_int16_accumulate(
    const struct ec_depthwise_conv_2d_int16 *layer, int16_t *out, const int16_t *in, int32_t y, int32_t *sums)
{
    const struct ec_requantize_int16 end = ec_depthwise_conv_2d_int16_end(layer);
    const int32_t channels = layer->channels, kernel_h = layer->kernel_h, kernel_w = layer->kernel_w;
    int32_t x, c, block;

    if (y == 0) {
        memset(sums, 0, sizeof(*sums) * (size_t)(layer->out_width * channels));
    }
    for (x = 0; x < layer->out_width; x++) {
        const struct ec_depthwise_int16_taps taps = ec_depthwise_int16_find_taps(layer, x);
        const int8_t *weights = layer->weights;

        for (c = 0; c < channels; c += block) {
            block = channels - c >= 8 ? 8 : 1;
            ec_depthwise_int16_add_row(&taps, block, sums, in, c, weights + y * kernel_w * block);
            weights += kernel_h * kernel_w * block;
            if (y == kernel_h - 1) {
                ec_requantize_int16(&end, out, sums, c, block);
                out += block;
            }
            sums += block;
        }
    }
}

#endif
