/* DEPTHWISE_CONV_2D with multiplier 1, int8, per channel. One output row from kernel_h input rows; NULL stands for a
 * row of padding. (With another multiplier it is a CONV_2D in groups.) */
#ifndef EDGECNN_DEPTHWISE_CONV_2D_H
#define EDGECNN_DEPTHWISE_CONV_2D_H

#include "depthwise_window.h"
#include "dot.h"
#include "requantize.h"

struct ec_depthwise_conv_2d {
    const int8_t *weights;     /* [channels / 8][kernel_h][kernel_w][8], the rest channel by channel */
    const int32_t *bias;       /* [channels], minus the input's zero point times the sum of the channel's weights */
    const int32_t *multiplier; /* [channels] */
    const int8_t *shift;       /* [channels], see requantize.h */
    int32_t in_width, channels;
    int32_t out_width;
    int32_t kernel_h, kernel_w;
    int32_t stride_w, dilation_w, pad_left;
    int32_t in_zero_point, out_offset; /* what padding holds, the output's zero point */
    int32_t low, high;                 /* of the fused activation */
    int32_t large_factors;             /* whether a shift is negative */
};

/* The window of kernel_h rows, those that are not NULL inside the image. */
static inline struct ec_depthwise_window ec_depthwise_conv_2d_find_rows(
    const struct ec_depthwise_conv_2d *layer, int32_t kernel_h, const int8_t *const *in)
{
    struct ec_depthwise_window window;
    int32_t top = 0, bottom = kernel_h;

    while (top < bottom && in[top] == NULL) {
        top++;
    }
    while (bottom > top && in[bottom - 1] == NULL) {
        bottom--;
    }
    window.kernel_h = kernel_h;
    window.top = top;
    window.row_count = bottom - top;
    window.left = 0; /* not known yet */
    window.right = 0;
    window.pixel = 0;
    window.step = layer->dilation_w * layer->channels;
    memset(window.zeros, layer->in_zero_point, sizeof(window.zeros));
    return window;
}

/* Moves the window to output pixel x. */
static inline void ec_depthwise_conv_2d_find_taps(
    const struct ec_depthwise_conv_2d *layer, struct ec_depthwise_window *window, int32_t x)
{
    const int32_t dilation = layer->dilation_w, start = x * layer->stride_w - layer->pad_left;
    int32_t left = 0, right = layer->kernel_w;

    while (left < right && start + left * dilation < 0) {
        left++;
    }
    while (right > left && start + (right - 1) * dilation >= layer->in_width) {
        right--;
    }
    window->left = left;
    window->right = right;
    window->pixel = (start + left * dilation) * layer->channels;
}

static inline void ec_depthwise_conv_2d_requantize(
    const struct ec_depthwise_conv_2d *layer, int8_t *out, const int32_t *sums, int32_t channel, int32_t count)
{
    if (layer->large_factors) {
        ec_requantize_any(
            out, sums, count, layer->bias + channel, layer->multiplier + channel, layer->shift + channel,
            layer->out_offset, layer->low, layer->high);
    } else {
        ec_requantize(
            out, sums, count, layer->bias + channel, layer->multiplier + channel, layer->shift + channel,
            layer->out_offset, layer->low, layer->high);
    }
}

/* out: [out_width][channels]; in: kernel_h rows of [in_width][channels]. */
static inline void ec_depthwise_conv_2d(const struct ec_depthwise_conv_2d *layer, int8_t *out, const int8_t *const *in)
{
    const int32_t channels = layer->channels, kernel_w = layer->kernel_w;
    struct ec_depthwise_window window = ec_depthwise_conv_2d_find_rows(layer, layer->kernel_h, in);
    int32_t x, c, block, sums[8];

    for (x = 0; x < layer->out_width; x++) {
        const int8_t *weights = layer->weights;

        ec_depthwise_conv_2d_find_taps(layer, &window, x);
        for (c = 0; c < channels; c += block) {
            block = channels - c >= 8 ? 8 : 1;
            ec_clear_block(sums);
            ec_depthwise_add_window(&window, kernel_w, block, sums, in, c, weights);
            weights += layer->kernel_h * kernel_w * block;
            ec_depthwise_conv_2d_requantize(layer, out, sums, c, block);
            out += block;
        }
    }
}

/* For a single output row: adds input row y of kernel_h to sums [out_width][channels], and writes out with the last. */
static inline void ec_depthwise_conv_2d_accumulate(
    const struct ec_depthwise_conv_2d *layer, int8_t *out, const int8_t *in, int32_t y, int32_t *sums)
{
    const int32_t channels = layer->channels, kernel_h = layer->kernel_h, kernel_w = layer->kernel_w;
    struct ec_depthwise_window window = ec_depthwise_conv_2d_find_rows(layer, 1, &in);
    int32_t x, c, block;

    if (y == 0) {
        memset(sums, 0, sizeof(*sums) * (size_t)(layer->out_width * channels));
    }
    for (x = 0; x < layer->out_width; x++) {
        const int8_t *weights = layer->weights;

        ec_depthwise_conv_2d_find_taps(layer, &window, x);
        for (c = 0; c < channels; c += block) {
            block = channels - c >= 8 ? 8 : 1;
            ec_depthwise_add_window(&window, kernel_w, block, sums, &in, c, weights + y * kernel_w * block);
            weights += kernel_h * kernel_w * block;
            if (y == kernel_h - 1) {
                ec_depthwise_conv_2d_requantize(layer, out, sums, c, block);
                out += block;
            }
            sums += block;
        }
    }
}

#endif
