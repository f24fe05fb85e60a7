/* CONV_2D, int16 with int8 weights, per channel. One output row from kernel_h input rows; NULL stands for a row of
 * padding. */
#ifndef EDGECNN_CONV_2D_INT16_H
#define EDGECNN_CONV_2D_INT16_H

#include "dot_int16.h"
#include "requantize_int16.h"

struct ec_conv_2d_int16 {
    const int8_t *weights;     /* [groups][group_channels / 8][kernel_h][kernel_w][depth][8], the rest by 4 and by 1 */
    const int32_t *bias;       /* [out_channels]; this and the next four: see requantize_int16.h */
    const int64_t *wide_bias;  /* [out_channels] */
    const int32_t *multiplier; /* [out_channels] */
    const int8_t *shift;       /* [out_channels] */
    int32_t rounding;
    int32_t in_width, in_channels;
    int32_t groups, group_channels; /* of the output channels */
    int32_t depth;                  /* input channels that a filter sees */
    int32_t out_width;
    int32_t kernel_h, kernel_w;
    int32_t stride_w, dilation_w, pad_left;
    int32_t low, high; /* of the fused activation */
};

/* The taps of one row of the kernel that lie inside the image. Those that touch are one run of numbers. */
struct ec_conv_2d_int16_taps {
    int32_t first;     /* of them */
    int32_t pixel;     /* where the first one lies in the row, in elements */
    int32_t runs, run; /* how many runs, and how many numbers in each */
};

static inline struct ec_requantize_int16 ec_conv_2d_int16_end(const struct ec_conv_2d_int16 *layer)
{
    const struct ec_requantize_int16 end = {
        layer->bias, layer->wide_bias, layer->multiplier, layer->shift, layer->rounding, layer->low, layer->high};
    return end;
}

static inline struct ec_conv_2d_int16_taps ec_conv_2d_int16_find_taps(const struct ec_conv_2d_int16 *layer, int32_t x)
{
    const int32_t dilation = layer->dilation_w, left = x * layer->stride_w - layer->pad_left;
    struct ec_conv_2d_int16_taps taps;
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

/* Adds the products of one input row to sums, or to wide where that is not NULL. weights: [kernel_w][depth][block]. */
static inline void ec_conv_2d_int16_add_row(
    const struct ec_conv_2d_int16 *layer,
    const struct ec_conv_2d_int16_taps *taps,
    int32_t block,
    int32_t *sums,
    int64_t *wide,
    const int16_t *row,
    const int8_t *weights)
{
    int32_t left;

    row += taps->pixel;
    weights += block * taps->first * layer->depth;
    for (left = taps->runs; left > 0; left--) {
        if (wide != NULL) {
            ec_dot_int16_wide(block, wide, row, weights, taps->run);
        } else {
            ec_dot_int16(block, sums, row, weights, taps->run);
        }
        row += layer->dilation_w * layer->in_channels;
        weights += block * taps->run;
    }
}

/* out: [out_width][out_channels]; in: kernel_h rows of [in_width][in_channels]. */
static inline void ec_conv_2d_int16(const struct ec_conv_2d_int16 *layer, int16_t *out, const int16_t *const *in)
{
    const struct ec_requantize_int16 end = ec_conv_2d_int16_end(layer);
    const int32_t kernel_h = layer->kernel_h, group_channels = layer->group_channels;
    const int32_t row_weights = layer->kernel_w * layer->depth; /* of one channel */
    const int is_wide = layer->rounding == EC_WIDE;
    int32_t x, group, c, ky, block, sums[EC_BLOCK_INT16];
    int64_t wide[EC_BLOCK_INT16];

    for (x = 0; x < layer->out_width; x++) {
        const int8_t *weights = layer->weights;
        struct ec_conv_2d_int16_taps taps = ec_conv_2d_int16_find_taps(layer, x);

        for (group = 0; group < layer->groups; group++) {
            for (c = 0; c < group_channels; c += block) {
                block = ec_block_int16(group_channels - c);
                ec_clear_block_int16(sums);
                if (is_wide) {
                    memset(wide, 0, sizeof(wide));
                }
                for (ky = 0; ky < kernel_h; ky++, weights += block * row_weights) {
                    if (in[ky] != NULL) {
                        ec_conv_2d_int16_add_row(layer, &taps, block, sums, is_wide ? wide : NULL, in[ky], weights);
                    }
                }
                if (is_wide) {
                    ec_requantize_int16_wide(&end, out, wide, group * group_channels + c, block);
                } else {
                    ec_requantize_int16(&end, out, sums, group * group_channels + c, block);
                }
                out += block;
            }
            taps.pixel += layer->depth;
        }
    }
}

/* For a single output row: adds input row y of kernel_h to sums [out_width][out_channels], int32, or int64 as two int32
 * each; writes out with the last. */
static inline void ec_conv_2d_int16_accumulate(
    const struct ec_conv_2d_int16 *layer, int16_t *out, const int16_t *in, int32_t y, int32_t *sums)
{
    const struct ec_requantize_int16 end = ec_conv_2d_int16_end(layer);
    const int32_t kernel_h = layer->kernel_h, group_channels = layer->group_channels;
    const int32_t row_weights = layer->kernel_w * layer->depth; /* of one channel */
    const int is_wide = layer->rounding == EC_WIDE;
    const int32_t words = is_wide ? 2 : 1; /* of a sum */
    int32_t x, group, c, block;
    int64_t wide[EC_BLOCK_INT16];

    if (y == 0) {
        memset(sums, 0, sizeof(*sums) * (size_t)(words * layer->out_width * layer->groups * group_channels));
    }
    for (x = 0; x < layer->out_width; x++) {
        const int8_t *weights = layer->weights;
        struct ec_conv_2d_int16_taps taps = ec_conv_2d_int16_find_taps(layer, x);

        for (group = 0; group < layer->groups; group++) {
            for (c = 0; c < group_channels; c += block) {
                const int8_t *row_of_weights;

                block = ec_block_int16(group_channels - c);
                row_of_weights = weights + y * block * row_weights;
                weights += kernel_h * block * row_weights;
                if (is_wide) {
                    memcpy(wide, sums, sizeof(*wide) * (size_t)block); /* the sums lie on a multiple of 4 only */
                    ec_conv_2d_int16_add_row(layer, &taps, block, sums, wide, in, row_of_weights);
                    memcpy(sums, wide, sizeof(*wide) * (size_t)block);
                } else {
                    ec_conv_2d_int16_add_row(layer, &taps, block, sums, NULL, in, row_of_weights);
                }
                if (y == kernel_h - 1) {
                    if (is_wide) {
                        ec_requantize_int16_wide(&end, out, wide, group * group_channels + c, block);
                    } else {
                        ec_requantize_int16(&end, out, sums, group * group_channels + c, block);
                    }
                    out += block;
                }
                sums += words * block;
            }
            taps.pixel += layer->depth;
        }
    }
}

#endif
