/* CONV_2D, int8, per channel: four pixels at a time, each multiplication two of them (two_in_a_word.h). What the
 * filters see of the four is gathered in columns first. NULL stands for a row of padding. */
#ifndef EDGECNN_CONV_2D_PACKED_H
#define EDGECNN_CONV_2D_PACKED_H

#include "two_in_a_word.h"

struct ec_conv_2d_packed {
    const int8_t *weights;   /* [out_channels][terms]: [kernel_h][kernel_w][depth], a zero if that is odd */
    const int32_t *channels; /* [out_channels] struct ec_packed_channel */
    int32_t in_width, depth; /* of the input, in pixels, and its channels */
    int32_t kernel_h, kernel_w;
    int32_t stride_w, dilation_w, pad_left;
    int32_t terms;    /* even */
    int32_t out_width, out_channels;
    int32_t in_zero_point; /* what padding holds */
    int32_t low, high;     /* of the fused activation */
    int32_t together;      /* pixels that are computed together: 4, or 2 with half the columns */
};

/* What a tap sees: a pixel of the row, or one of padding. */
static EC_INLINE const int8_t *ec_conv_2d_packed_pixel(
    const struct ec_conv_2d_packed *layer, const int8_t *row, const int8_t *zeros, int32_t pixel)
{
    return row != NULL && pixel >= 0 && pixel < layer->in_width ? row + pixel * layer->depth : zeros;
}

/* Gathers what the filters see of `count` pixels, 1, 2 or 4, from x on. zeros: a pixel of padding. */
static EC_OUT_OF_LINE void ec_conv_2d_packed_gather(
    const struct ec_conv_2d_packed *layer,
    int32_t *columns,
    const int8_t *const *in,
    const int8_t *zeros,
    int32_t x,
    int32_t count)
{
    const int32_t depth = layer->depth, dilation = layer->dilation_w, stride = layer->stride_w;
    const int32_t left = x * stride - layer->pad_left;
    const int32_t last = left + (count - 1) * stride + (layer->kernel_w - 1) * dilation;
    const int is_run = dilation == 1 && left >= 0 && last < layer->in_width; /* taps of a row lie side by side */
    int32_t ky, kx, i, at = 0;

    for (ky = 0; ky < layer->kernel_h; ky++) {
        const int8_t *const row = in[ky];
        const int is_one = is_run && row != NULL;
        const int32_t taps = is_one ? 1 : layer->kernel_w, terms = is_one ? layer->kernel_w * depth : depth;
        int32_t tap = left;

        for (kx = 0; kx < taps; kx++, tap += dilation, at += terms) {
            int32_t pixel = tap;

            if (count == 1) {
                ec_pack_one(columns, at, ec_conv_2d_packed_pixel(layer, row, zeros, pixel), terms);
            }
            for (i = 0; i + 1 < count; i += 2, pixel += 2 * stride) {
                ec_pack_two(
                    columns + i, count, at, ec_conv_2d_packed_pixel(layer, row, zeros, pixel),
                    ec_conv_2d_packed_pixel(layer, row, zeros, pixel + stride), terms);
            }
        }
    }
}

/* All channels of the first `left` of `count` pixels of the output. */
static EC_INLINE void ec_conv_2d_packed_channels(
    const struct ec_conv_2d_packed *layer, int8_t *out, const int32_t *columns, int32_t count, int32_t left)
{
    const struct ec_packed_channel *channel = (const struct ec_packed_channel *)(const void *)layer->channels;
    const int32_t terms = layer->terms, out_channels = layer->out_channels;
    const int8_t *weights = layer->weights, *const end = weights + out_channels * terms;
    int32_t sums[4];

    for (; weights != end; weights += terms) {
        ec_sum_pixels(sums, columns, weights, terms, count);
        ec_round_sums(out++, out_channels, sums, left, channel++);
    }
}

/* The same; each count has a loop of its own. */
static EC_OUT_OF_LINE void ec_conv_2d_packed_multiply(
    const struct ec_conv_2d_packed *layer, int8_t *out, const int32_t *columns, int32_t count, int32_t left)
{
    if (count == 4) {
        ec_conv_2d_packed_channels(layer, out, columns, 4, left);
    } else if (count == 2) {
        ec_conv_2d_packed_channels(layer, out, columns, 2, 2);
    } else {
        ec_conv_2d_packed_channels(layer, out, columns, 1, 1);
    }
}

/* out: [out_width][out_channels]; in: kernel_h rows of [in_width][depth]; scratch: columns and a pixel of padding. */
static inline void ec_conv_2d_packed(
    const struct ec_conv_2d_packed *layer, int8_t *out, const int8_t *const *in, void *scratch)
{
    int32_t *const columns = (int32_t *)scratch;
    int8_t *const zeros = (int8_t *)(columns + layer->together / 2 * layer->terms);
    const int32_t out_width = layer->out_width, out_channels = layer->out_channels;
    int32_t x, i;

    memset(zeros, layer->in_zero_point, (size_t)layer->depth);
    for (x = 0; x < out_width; x += layer->together) {
        const int32_t rest = out_width - x, left = rest < layer->together ? rest : layer->together;
        const int32_t count = left == 3 ? 4 : left;

        ec_conv_2d_packed_gather(layer, columns, in, zeros, x, count);
        ec_conv_2d_packed_multiply(layer, out, columns, count, left);
        out += left * out_channels;
    }
    if (layer->low > -128 || layer->high < 127) {
        for (i = out_width * out_channels; i > 0; i--) {
            out--;
            *out = (int8_t)ec_clamp(*out, layer->low, layer->high);
        }
    }
}

#endif
