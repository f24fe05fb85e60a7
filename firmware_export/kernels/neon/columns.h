/* The rows that a filter sees, column by column: what one pixel of the output sees is then one run of bytes. */
#ifndef EDGECNN_COLUMNS_H
#define EDGECNN_COLUMNS_H

#include "neon.h"

/* to[i * step] = from[i * depth] for `pixels` of `depth` bytes, a constant. */
static EC_INLINE void ec_copy_small_pixels(
    int8_t *to, int32_t step, const int8_t *from, const int32_t depth, int32_t pixels)
{
    for (; pixels >= 4; pixels -= 4, to += 4 * step, from += 4 * depth) {
        memcpy(to, from, (size_t)depth);
        memcpy(to + step, from + depth, (size_t)depth);
        memcpy(to + 2 * step, from + 2 * depth, (size_t)depth);
        memcpy(to + 3 * step, from + 3 * depth, (size_t)depth);
    }
    for (; pixels > 0; pixels--, to += step, from += depth) {
        memcpy(to, from, (size_t)depth);
    }
}

/* The same, whatever the depth: sixteen bytes at a time and one by one. */
static inline void ec_copy_pixels(int8_t *to, int32_t step, const int8_t *from, int32_t depth, int32_t pixels)
{
    int32_t c;

    for (; pixels > 0; pixels--, to += step, from += depth) {
        for (c = 0; c + 16 <= depth; c += 16) {
            memcpy(to + c, from + c, 16);
        }
        for (; c < depth; c++) {
            to[c] = from[c];
        }
    }
}

/* The same; images and small networks have a loop of their own. */
static inline void ec_copy_row(int8_t *to, int32_t step, const int8_t *from, int32_t depth, int32_t pixels)
{
    if (depth == 1) {
        ec_copy_small_pixels(to, step, from, 1, pixels);
    } else if (depth == 3) {
        ec_copy_small_pixels(to, step, from, 3, pixels);
    } else if (depth == 16) {
        ec_copy_small_pixels(to, step, from, 16, pixels);
    } else if (depth == 32) {
        ec_copy_small_pixels(to, step, from, 32, pixels);
    } else {
        ec_copy_pixels(to, step, from, depth, pixels);
    }
}

/* to: [width][kernel_h][depth]; in: kernel_h rows of [width][depth], NULL for one of padding. */
static EC_OUT_OF_LINE void ec_fill_columns(
    int8_t *to, const int8_t *const *in, int32_t kernel_h, int32_t width, int32_t depth, int32_t zero_point)
{
    const int32_t column = kernel_h * depth;
    int32_t ky, x;

    for (ky = 0; ky < kernel_h; ky++, to += depth) {
        if (in[ky] != NULL) {
            ec_copy_row(to, column, in[ky], depth, width);
            continue;
        }
        for (x = 0; x < width; x++) {
            memset(to + x * column, zero_point, (size_t)depth);
        }
    }
}

#endif
