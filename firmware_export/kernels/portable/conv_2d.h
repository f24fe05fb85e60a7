/* CONV_2D, int8, per channel. One output row from kernel_h input rows; NULL stands for a row of padding. */
#ifndef EDGECNN_CONV_2D_H
#define EDGECNN_CONV_2D_H

#include "dot.h"
#include "requantize.h"

struct ec_conv_2d {
    const int8_t *weights;     /* [groups][group_channels / 8][kernel_h][kernel_w][depth][8], the rest by 4 and by 1 */
    const int32_t *bias;       /* [out_channels] */
    const int32_t *multiplier; /* [out_channels] */
    const int8_t *shift;       /* [out_channels], see requantize.h */
    int32_t in_width, in_channels;
    int32_t groups, group_channels; /* of the output channels */
    int32_t depth;                  /* input channels that a filter sees */
    int32_t out_width;
    int32_t kernel_h, kernel_w;
    int32_t stride_w, dilation_w, pad_left;
    int32_t in_offset, out_offset; /* minus the input's zero point, the output's zero point */
    int32_t low, high;             /* of the fused activation */
    int32_t large_factors;         /* whether a shift is negative */
};

/* The taps of one row of the kernel that lie inside the image. Those that touch are one run of numbers. */
struct ec_conv_2d_taps {
    int32_t first;     /* of them */
    int32_t pixel;     /* where the first one lies in the row, in elements */
    int32_t runs, run; /* how many runs, and how many numbers in each */
};

static inline struct ec_conv_2d_taps ec_conv_2d_find_taps(const struct ec_conv_2d *layer, int32_t x)
{
    const int32_t dilation = layer->dilation_w, left = x * layer->stride_w - layer->pad_left;
    struct ec_conv_2d_taps taps;
    int32_t first = 0, last = layer->kernel_w;

    while (first < last && left + first * dilation < 0) {
        first++;
    }
    while (last > first && left + (last - 1) * dilation >= layer->in_width) {
        last--;
    }
    taps.first = first;
    taps.pixel = last > first ? (left + first * dilation) * layer->in_channels : 0;
    if (dilation == 1 && layer->groups == 1) {
        taps.runs = last > first;
        taps.run = (last - first) * layer->depth;
    } else {
        taps.runs = last - first;
        taps.run = layer->depth;
    }
    return taps;
}

/* Adds the products of one input row. weights: [kernel_w][depth][block]. */
static inline void ec_conv_2d_add_row(
    const struct ec_conv_2d *layer,
    const struct ec_conv_2d_taps *taps,
    int32_t block,
    int32_t *sums,
    const int8_t *row,
    const int8_t *weights)
{
    int32_t left;

    row += taps->pixel;
    weights += block * taps->first * layer->depth;
    for (left = taps->runs; left > 0; left--) {
        ec_dot(block, sums, row, weights, taps->run, layer->in_offset);
        row += layer->dilation_w * layer->in_channels;
        weights += block * taps->run;
    }
}

static inline void ec_conv_2d_requantize(
    const struct ec_conv_2d *layer, int8_t *out, const int32_t *sums, int32_t channel, int32_t count)
{
    if (layer->large_factors) {
        ec_requantize_any(
        out, sums, count, layer->bias + channel, layer->multiplier + channel, layer->shift + channel, layer->out_offset,
        layer->low, layer->high);
    } else {
        ec_requantize(
        out, sums, count, layer->bias + channel, layer->multiplier + channel, layer->shift + channel, layer->out_offset,
        layer->low, layer->high);
    }
}

/* out: [out_width][out_channels]; in: kernel_h rows of [in_width][in_channels]. */
static inline void ec_conv_2d(const struct ec_conv_2d *layer, int8_t *out, const int8_t *const *in)
{
    const int32_t kernel_h = layer->kernel_h, group_channels = layer->group_channels;
    const int32_t row_weights = layer->kernel_w * layer->depth; /* of one channel */
    int32_t x, group, c, ky, block, sums[EC_BLOCK];

    for (x = 0; x < layer->out_width; x++) {
        const int8_t *weights = layer->weights;
        struct ec_conv_2d_taps taps = ec_conv_2d_find_taps(layer, x);

        for (group = 0; group < layer->groups; group++) {
            for (c = 0; c < group_channels; c += block) {
                block = ec_block(group_channels - c);
                ec_clear_block(sums);
                for (ky = 0; ky < kernel_h; ky++, weights += block * row_weights) {
                    if (in[ky] != NULL) {
                        ec_conv_2d_add_row(layer, &taps, block, sums, in[ky], weights);
                    }
                }
                ec_conv_2d_requantize(layer, out, sums, group * group_channels + c, block);
                out += block;
            }
            taps.pixel += layer->depth;
        }
    }
}

/* For a single output row: adds input row y of kernel_h to sums [out_width][out_channels]; writes out with the last. */
static inline void ec_conv_2d_accumulate(
    const struct ec_conv_2d *layer, int8_t *out, const int8_t *in, int32_t y, int32_t *sums)
{
    const int32_t kernel_h = layer->kernel_h, group_channels = layer->group_channels;
    const int32_t row_weights = layer->kernel_w * layer->depth; /* of one channel */
    int32_t x, group, c, block;

    if (y == 0) {
        memset(sums, 0, sizeof(*sums) * (size_t)(layer->out_width * layer->groups * group_channels));
    }
    for (x = 0; x < layer->out_width; x++) {
        const int8_t *weights = layer->weights;
        struct ec_conv_2d_taps taps = ec_conv_2d_find_taps(layer, x);

        for (group = 0; group < layer->groups; group++) {
            for (c = 0; c < group_channels; c += block) {
                block = ec_block(group_channels - c);
                ec_conv_2d_add_row(layer, &taps, block, sums, in, weights + y * block * row_weights);
                weights += kernel_h * block * row_weights;
                if (y == kernel_h - 1) {
                    ec_conv_2d_requantize(layer, out, sums, group * group_channels + c, block);
                    out += block;
                }
                sums += block;
            }
            taps.pixel += layer->depth;
        }
    }
}

#endif
