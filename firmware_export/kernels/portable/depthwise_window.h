/* One window of a depthwise convolution, eight channels at once: the inner loops of DEPTHWISE_CONV_2D. Padding is
 * multiplied like the image, as pixels of zero points: so the zero point stands in the bias, not in the loop. */
#ifndef EDGECNN_DEPTHWISE_WINDOW_H
#define EDGECNN_DEPTHWISE_WINDOW_H

#include <stdint.h>

#include "out_of_line.h"

/* The part of a window that lies inside the image: `row_count` rows from `top` on, taps `left` to `right` - 1. */
struct ec_depthwise_window {
    int32_t kernel_h; /* rows of the window */
    int32_t top, row_count;
    int32_t left, right;
    int32_t pixel;   /* where tap `left` lies in a row, in elements */
    int32_t step;    /* from one tap to the next */
    int8_t zeros[8]; /* a pixel of padding */
};

/* sums[j] += rows[k * row_step][pixel + t * step + j] * weights[k][t][j] for k < row_count, t < taps, j < 8, where
 * weights[k + 1] begins row_weights after weights[k]; row_count and taps are at least 1. */
static EC_OUT_OF_LINE void ec_depthwise_8(
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
static EC_OUT_OF_LINE void ec_depthwise_1(
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
static inline void ec_depthwise_add_zeros(
    int32_t block,
    int32_t *sums,
    const int8_t *zeros,
    int32_t rows,
    const int8_t *weights,
    int32_t taps,
    int32_t kernel_w)
{
    if (rows <= 0 || taps <= 0) {
        return;
    }
    if (block == 8) {
        ec_depthwise_8(sums, &zeros, 0, rows, 0, 0, weights, taps, 8 * kernel_w);
    } else {
        ec_depthwise_1(sums, &zeros, 0, rows, 0, 0, weights, taps, kernel_w);
    }
}

/* Adds the products of the padding above, below, left and right of the image. weights: [kernel_h][kernel_w][block]. */
static EC_OUT_OF_LINE void ec_depthwise_add_padding(
    const struct ec_depthwise_window *window,
    int32_t kernel_w,
    int32_t block,
    int32_t *sums,
    const int8_t *weights)
{
    const int32_t rows = window->row_count, left = window->left, right = window->right;
    const int32_t row = block * kernel_w; /* from one row's weights to the next */
    const int8_t *const zeros = window->zeros;
    const int8_t *const inside = weights + window->top * row;
    const int32_t below = window->kernel_h - window->top - rows;

    ec_depthwise_add_zeros(block, sums, zeros, window->top, weights, kernel_w, kernel_w);
    ec_depthwise_add_zeros(block, sums, zeros, below, inside + rows * row, kernel_w, kernel_w);
    ec_depthwise_add_zeros(block, sums, zeros, rows, inside, left, kernel_w);
    ec_depthwise_add_zeros(block, sums, zeros, rows, inside + block * right, kernel_w - right, kernel_w);
}

/* Adds the products of a whole window. weights: [kernel_h][kernel_w][block]. */
static inline void ec_depthwise_add_window(
    const struct ec_depthwise_window *window,
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
            ec_depthwise_8(sums, in, 1, rows, pixel, step, inside, taps, 8 * kernel_w);
        } else {
            ec_depthwise_1(sums, in, 1, rows, pixel, step, inside, taps, kernel_w);
        }
    }
    if (taps < kernel_w || rows < window->kernel_h) {
        ec_depthwise_add_padding(window, kernel_w, block, sums, weights);
    }
}

#endif
