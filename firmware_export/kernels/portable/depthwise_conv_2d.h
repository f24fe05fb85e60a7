/* DEPTHWISE_CONV_2D with multiplier 1, int8, per channel. One output row from kernel_h input rows; NULL stands for a row of
 * padding. (With another multiplier it is a CONV_2D in groups.) */
#ifndef EDGECNN_DEPTHWISE_CONV_2D_H
#define EDGECNN_DEPTHWISE_CONV_2D_H

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

/* The part of a window that lies inside the image: `row_count` rows from `top` on, taps from `left` to before `right`. */
struct ec_depthwise_conv_2d_window {
    int32_t kernel_h; /* rows of the window */
    int32_t top, row_count;
    int32_t left, right;
    int32_t pixel;   /* where tap `left` lies in a row, in elements */
    int32_t step;    /* from one tap to the next */
    int8_t zeros[8]; /* a pixel of padding */
};

/* sums[j] += rows[k * row_step][pixel + t * step + j] * weights[k][t][j] for k < row_count, t < taps and j < 8, both at least 1;
 * weights[k + 1] begins row_weights after weights[k]. */
static EC_OUT_OF_LINE void ec_depthwise_conv_2d_8(
    int32_t *sums,
    const int8_t *const *rows,
    int32_t row_step,
    int32_t row_count,
    int32_t pixel,
    int32_t step,
    const int8_t *weights,
    int32_t taps,
    int32_t row_weights)
{
    int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    int32_t sum4 = sums[4], sum5 = sums[5], sum6 = sums[6], sum7 = sums[7];

    row_weights -= 8 * taps;
    do {
        const int8_t *in = *rows + pixel;
        const int8_t *const end = weights + 8 * taps;
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
        weights += row_weights;
        rows += row_step;
    } while (--row_count > 0);
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
    sums[4] = sum4;
    sums[5] = sum5;
    sums[6] = sum6;
    sums[7] = sum7;
}

/* The same for one channel. */
static EC_OUT_OF_LINE void ec_depthwise_conv_2d_1(
    int32_t *sums,
    const int8_t *const *rows,
    int32_t row_step,
    int32_t row_count,
    int32_t pixel,
    int32_t step,
    const int8_t *weights,
    int32_t taps,
    int32_t row_weights)
{
    int32_t t, sum = *sums;

    for (; row_count > 0; row_count--, rows += row_step, weights += row_weights) {
        const int8_t *in = *rows + pixel;
        for (t = 0; t < taps; t++, in += step) {
            sum += *in * weights[t];
        }
    }
    *sums = sum;
}

/* Adds the products of padding: `rows` rows of `taps` pixels of zeros. */
static inline void ec_depthwise_conv_2d_add_zeros(
    int32_t block, int32_t *sums, const int8_t *zeros, int32_t rows, const int8_t *weights, int32_t taps, int32_t kernel_w)
{
    if (rows <= 0 || taps <= 0) {
        return;
    }
    if (block == 8) {
        ec_depthwise_conv_2d_8(sums, &zeros, 0, rows, 0, 0, weights, taps, 8 * kernel_w);
    } else {
        ec_depthwise_conv_2d_1(sums, &zeros, 0, rows, 0, 0, weights, taps, kernel_w);
    }
}

/* Adds the products of the padding above, below, left and right of the image. weights: [kernel_h][kernel_w][block]. */
static EC_OUT_OF_LINE void ec_depthwise_conv_2d_add_padding(
    const struct ec_depthwise_conv_2d_window *window, int32_t kernel_w, int32_t block, int32_t *sums, const int8_t *weights)
{
    const int32_t rows = window->row_count, left = window->left, right = window->right;
    const int32_t row = block * kernel_w; /* from one row's weights to the next */
    const int8_t *const zeros = window->zeros;
    const int8_t *const inside = weights + window->top * row;
    const int32_t below = window->kernel_h - window->top - rows;

    ec_depthwise_conv_2d_add_zeros(block, sums, zeros, window->top, weights, kernel_w, kernel_w);
    ec_depthwise_conv_2d_add_zeros(block, sums, zeros, below, inside + rows * row, kernel_w, kernel_w);
    ec_depthwise_conv_2d_add_zeros(block, sums, zeros, rows, inside, left, kernel_w);
    ec_depthwise_conv_2d_add_zeros(block, sums, zeros, rows, inside + block * right, kernel_w - right, kernel_w);
}

/* Adds the products of a whole window. weights: [kernel_h][kernel_w][block]. */
static inline void ec_depthwise_conv_2d_add_window(
    const struct ec_depthwise_conv_2d_window *window,
    int32_t kernel_w,
    int32_t block,
    int32_t *sums,
    const int8_t *const *in,
    int32_t channel,
    const int8_t *weights)
{
    const int32_t rows = window->row_count, taps = window->right - window->left;
    const int32_t pixel = window->pixel + channel, step = window->step;
    const int8_t *const inside = weights + block * (window->top * kernel_w + window->left);

    in += window->top;
    if (rows > 0 && taps > 0) {
        if (block == 8) {
            ec_depthwise_conv_2d_8(sums, in, 1, rows, pixel, step, inside, taps, 8 * kernel_w);
        } else {
            ec_depthwise_conv_2d_1(sums, in, 1, rows, pixel, step, inside, taps, kernel_w);
        }
    }
    if (taps < kernel_w || rows < window->kernel_h) {
        ec_depthwise_conv_2d_add_padding(window, kernel_w, block, sums, weights);
    }
}

/* The window of kernel_h rows, those that are not NULL inside the image. */
static inline struct ec_depthwise_conv_2d_window ec_depthwise_conv_2d_find_rows(
    const struct ec_depthwise_conv_2d *layer, int32_t kernel_h, const int8_t *const *in)
{
    struct ec_depthwise_conv_2d_window window;
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
    window.step = layer->dilation_w * layer->channels;
    memset(window.zeros, layer->in_zero_point, sizeof(window.zeros));
    return window;
}

/* Moves the window to output pixel x. */
static inline void ec_depthwise_conv_2d_find_taps(
    const struct ec_depthwise_conv_2d *layer, struct ec_depthwise_conv_2d_window *window, int32_t x)
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
    struct ec_depthwise_conv_2d_window window = ec_depthwise_conv_2d_find_rows(layer, layer->kernel_h, in);
    int32_t x, c, block, sums[8];

    for (x = 0; x < layer->out_width; x++) {
        const int8_t *weights = layer->weights;

        ec_depthwise_conv_2d_find_taps(layer, &window, x);
        for (c = 0; c < channels; c += block) {
            block = channels - c >= 8 ? 8 : 1;
            ec_clear_block(sums);
            ec_depthwise_conv_2d_add_window(&window, kernel_w, block, sums, in, c, weights);
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
    struct ec_depthwise_conv_2d_window window = ec_depthwise_conv_2d_find_rows(layer, 1, &in);
    int32_t x, c, block;

    if (y == 0) {
        memset(sums, 0, sizeof(*sums) * (size_t)(layer->out_width * channels));
    }
    for (x = 0; x < layer->out_width; x++) {
        const int8_t *weights = layer->weights;

        ec_depthwise_conv_2d_find_taps(layer, &window, x);
        for (c = 0; c < channels; c += block) {
            block = channels - c >= 8 ? 8 : 1;
            ec_depthwise_conv_2d_add_window(&window, kernel_w, block, sums, &in, c, weights + y * kernel_w * block);
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
