/* CONV_2D, int8, per channel, in one group, without dilation along the row; FULLY_CONNECTED as one of a single pixel.
 * One output row from kernel_h input rows; NULL stands for a row of padding.
 *
 * The rows are copied first, with their padding: then a window is kernel_h runs of bytes, of which four at a time are
 * multiplied with those of 16 or 32 channels, for up to eight pixels together. */
#ifndef EDGECNN_CONV_2D_WORDS_H
#define EDGECNN_CONV_2D_WORDS_H

#include "lanes.h"

struct ec_conv_2d_words {
    const int8_t *weights;   /* [out_channels / 16][kernel_h][words][16][4], zeros where there are no more */
    const int32_t *channels; /* [out_channels / 16][3][16]: bias with the zero point, multiplier, shift below 0 */
    int32_t block;           /* bytes of weights of 16 channels */
    int32_t kernel_h, words; /* in a run: those that are zeros in part read on into what is there */
    int32_t in_bytes;        /* of a row, as much as is needed of it */
    int32_t before, row;     /* bytes of padding on the left, and of a row with all its padding */
    int32_t step;            /* bytes from a window to the next */
    int32_t out_width, out_channels;
    int32_t in_zero_point, out_zero_point;
    int32_t low, high; /* of the fused activation */
};

/* Pixels that are computed together: their sums stay in registers. */
#if EC_VECTOR_BYTES == 64
#define EC_PIXELS 8
#define EC_BLOCKS 2
#else
#define EC_PIXELS 4
#define EC_BLOCKS 1
#endif

/* rows: [kernel_h][row]. */
static inline void ec_conv_2d_words_copy_rows(
    const struct ec_conv_2d_words *layer, uint8_t *rows, const int8_t *const *in)
{
    const int32_t before = layer->before, in_bytes = layer->in_bytes, after = layer->row - before - in_bytes;
    const uint8_t padding = (uint8_t)(layer->in_zero_point + 128);
    int32_t ky;

    for (ky = 0; ky < layer->kernel_h; ky++, rows += layer->row) {
        if (in[ky] == NULL) {
            ec_fill(rows, padding, layer->row);
        } else {
            ec_fill(rows, padding, before);
            ec_copy_flipped(rows + before, in[ky], in_bytes);
            ec_fill(rows + before + in_bytes, padding, after);
        }
    }
}

/* `pixels` pixels of 16 * `blocks` channels, of which the last 16 may be fewer; both are known to the compiler. */
static EC_INLINE void ec_conv_2d_words_tile(
    const struct ec_conv_2d_words *layer,
    int8_t *out,
    const uint8_t *rows,
    int32_t channel,
    const int32_t pixels,
    const int32_t blocks)
{
    const int32_t step = layer->step, block = layer->block, words = layer->words, row = layer->row;
    const int32_t out_channels = layer->out_channels, zero_point = layer->out_zero_point;
    const int32_t low = layer->low, high = layer->high, is_signed = low < zero_point;
    const int8_t *weights = layer->weights + channel / 16 * block;
    const int32_t *const constants = layer->channels + channel * 3;
    ec_lanes sums[EC_BLOCKS][EC_PIXELS];
    int32_t ky, i, p, b;

    EC_UNROLL
    for (b = 0; b < blocks; b++) {
        EC_UNROLL
        for (p = 0; p < pixels; p++) {
            sums[b][p] = ec_load_lanes(constants + 48 * b);
        }
    }
    for (ky = 0; ky < layer->kernel_h; ky++, rows += row) {
        const uint8_t *window = rows;
        for (i = 0; i < words; i++, window += 4, weights += 64) {
            ec_weights of_block[EC_BLOCKS];
            EC_UNROLL
            for (b = 0; b < blocks; b++) {
                of_block[b] = ec_load_weights(weights + b * block);
            }
            EC_UNROLL
            for (p = 0; p < pixels; p++) {
                const ec_words word = ec_same_word(window + p * step);
                EC_UNROLL
                for (b = 0; b < blocks; b++) {
                    sums[b][p] = ec_add_products(sums[b][p], word, of_block[b]);
                }
            }
        }
    }
    EC_UNROLL
    for (b = 0; b < blocks; b++) {
        const struct ec_scale scale = ec_load_scale(constants + 48 * b + 16, constants + 48 * b + 32, zero_point);
        const int32_t count = out_channels - channel - 16 * b;
        EC_UNROLL
        for (p = 0; p < pixels; p++) {
            const ec_bytes bytes = ec_clamp_bytes(ec_requantize_lanes(sums[b][p], &scale, is_signed), low, high);
            ec_store_bytes(out + p * out_channels + 16 * b, bytes, count);
        }
    }
}

#define EC_CONV_2D_WORDS_PIXELS(pixels, blocks)                                                                       \
    case pixels: ec_conv_2d_words_tile(layer, out, rows, channel, pixels, blocks); break;

/* `pixels` pixels, 1 to EC_PIXELS, of 16 channels. */
static EC_OUT_OF_LINE void ec_conv_2d_words_16(
    const struct ec_conv_2d_words *layer, int8_t *out, const uint8_t *rows, int32_t channel, int32_t pixels)
{
    switch (pixels) {
        EC_CONV_2D_WORDS_PIXELS(1, 1)
        EC_CONV_2D_WORDS_PIXELS(2, 1)
        EC_CONV_2D_WORDS_PIXELS(3, 1)
        EC_CONV_2D_WORDS_PIXELS(4, 1)
#if EC_PIXELS > 4
        EC_CONV_2D_WORDS_PIXELS(5, 1)
        EC_CONV_2D_WORDS_PIXELS(6, 1)
        EC_CONV_2D_WORDS_PIXELS(7, 1)
        EC_CONV_2D_WORDS_PIXELS(8, 1)
#endif
    }
}

#if EC_BLOCKS == 2
/* The same of 32 channels. */
static EC_OUT_OF_LINE void ec_conv_2d_words_32(
    const struct ec_conv_2d_words *layer, int8_t *out, const uint8_t *rows, int32_t channel, int32_t pixels)
{
    switch (pixels) {
        EC_CONV_2D_WORDS_PIXELS(1, 2)
        EC_CONV_2D_WORDS_PIXELS(2, 2)
        EC_CONV_2D_WORDS_PIXELS(3, 2)
        EC_CONV_2D_WORDS_PIXELS(4, 2)
        EC_CONV_2D_WORDS_PIXELS(5, 2)
        EC_CONV_2D_WORDS_PIXELS(6, 2)
        EC_CONV_2D_WORDS_PIXELS(7, 2)
        EC_CONV_2D_WORDS_PIXELS(8, 2)
    }
}
#endif

/* out: [out_width][out_channels]; in: kernel_h rows; scratch: [kernel_h][row], and what is written or read beyond. */
static inline void ec_conv_2d_words(
    const struct ec_conv_2d_words *layer, int8_t *out, const int8_t *const *in, void *scratch)
{
    uint8_t *const rows = (uint8_t *)scratch;
    int32_t channel = 0, x;

    ec_conv_2d_words_copy_rows(layer, rows, in);
    while (channel < layer->out_channels) {
        const int32_t blocks = EC_BLOCKS == 2 && layer->out_channels - channel > 16 ? 2 : 1;
        for (x = 0; x < layer->out_width; x += EC_PIXELS) {
            const int32_t left = layer->out_width - x, pixels = left < EC_PIXELS ? left : EC_PIXELS;
            int8_t *const to = out + x * layer->out_channels + channel;
            const uint8_t *const windows = rows + x * layer->step;
#if EC_BLOCKS == 2
            if (blocks == 2) {
                ec_conv_2d_words_32(layer, to, windows, channel, pixels);
                continue;
            }
#endif
            ec_conv_2d_words_16(layer, to, windows, channel, pixels);
        }
        channel += 16 * blocks;
    }
}

#endif
