/* DEPTHWISE_CONV_2D with multiplier 1, int8, per channel, without dilation along the row. One output row from kernel_h
 * input rows; NULL stands for a row of padding.
 *
 * For 16 channels at a time the rows are interleaved by four: what a channel sees in a column becomes a word (of five
 * rows two), times its taps in an instruction. */
#ifndef EDGECNN_DEPTHWISE_WORDS_H
#define EDGECNN_DEPTHWISE_WORDS_H

#include "lanes.h"

struct ec_depthwise_words {
    const int8_t *weights;   /* [channels / 16][kernel_w][groups][16][4 rows], zeros where there are no more */
    const int32_t *channels; /* [channels / 16][3][16]: bias with the zero point, multiplier, shift below 0 */
    int32_t block;           /* bytes of weights of 16 channels */
    int32_t depth;           /* the channels */
    int32_t kernel_h;
    int32_t groups; /* of rows, four each */
    int32_t kernel_w, stride_w;
    int32_t in_width;        /* pixels of a row, as many as are needed */
    int32_t before, columns; /* columns of padding on the left, and all columns */
    int32_t out_width;
    int32_t in_zero_point, out_zero_point;
    int32_t low, high; /* of the fused activation */
};

/* Words of four rows, or of three (`count`, known to the compiler), for `width` pixels. */
static EC_INLINE void ec_depthwise_words_interleave(
    uint8_t *to,
    int32_t column,
    const int8_t *const *rows,
    const int32_t *next,
    int32_t width,
    int32_t channels,
    const int32_t count)
{
    const int8_t *row0 = rows[0], *row1 = rows[1], *row2 = rows[2], *row3 = rows[3];
    const int32_t next0 = next[0], next1 = next[1], next2 = next[2], next3 = next[3];
    int32_t x;

    for (x = 0; x < width; x++, to += column, row0 += next0, row1 += next1, row2 += next2, row3 += next3) {
        ec_store_columns(
            to, ec_load_bytes(row0, channels), ec_load_bytes(row1, channels), ec_load_bytes(row2, channels),
            count == 4 ? ec_load_bytes(row3, channels) : ec_same_byte(0));
    }
}

static EC_OUT_OF_LINE void ec_depthwise_words_three_rows(
    uint8_t *to, int32_t column, const int8_t *const *rows, const int32_t *next, int32_t width, int32_t channels)
{
    ec_depthwise_words_interleave(to, column, rows, next, width, channels, 3);
}

static EC_OUT_OF_LINE void ec_depthwise_words_four_rows(
    uint8_t *to, int32_t column, const int8_t *const *rows, const int32_t *next, int32_t width, int32_t channels)
{
    ec_depthwise_words_interleave(to, column, rows, next, width, channels, 4);
}

/* columns: [columns][groups][16][4]; in: rows, whose channels `channel` to `channel` + `channels` - 1 are taken. */
static inline void ec_depthwise_words_columns(
    const struct ec_depthwise_words *layer,
    uint8_t *columns,
    const int8_t *const *in,
    int32_t channel,
    int32_t channels)
{
    const int32_t column = 64 * layer->groups, width = layer->in_width;
    const int32_t after = layer->columns - layer->before - width;
    const uint8_t padding = (uint8_t)(layer->in_zero_point + 128);
    int8_t no_row[16];
    int32_t group, k;

    memset(no_row, layer->in_zero_point, sizeof(no_row));
    ec_fill(columns, padding, layer->before * column);
    columns += layer->before * column;
    for (group = 0; group < layer->groups; group++) {
        const int32_t left = layer->kernel_h - 4 * group;
        const int8_t *rows[4];
        int32_t next[4];
        for (k = 0; k < 4; k++) {
            const int8_t *row = k < left ? in[4 * group + k] : NULL;
            rows[k] = row == NULL ? no_row : row + channel;
            next[k] = row == NULL ? 0 : layer->depth;
        }
        if (left == 3) {
            ec_depthwise_words_three_rows(columns + 64 * group, column, rows, next, width, channels);
        } else {
            ec_depthwise_words_four_rows(columns + 64 * group, column, rows, next, width, channels);
        }
    }
    ec_fill(columns + width * column, padding, after * column);
}

/* out: [out_width][depth], of which 16 channels are written or fewer; window: where the first pixel's begins; weights:
 * [taps][16][4]. `kept`, known to the compiler, is `taps` where the weights may stay in registers, or 0. */
static EC_INLINE void ec_depthwise_words_pixels(
    const struct ec_depthwise_words *layer,
    int8_t *out,
    const uint8_t *window,
    const int8_t *weights,
    const int32_t *constants,
    int32_t channels,
    const int32_t kept)
{
    const struct ec_scale scale = ec_load_scale(constants + 16, constants + 32, layer->out_zero_point);
    const int32_t taps = layer->kernel_w * layer->groups, step = layer->stride_w * layer->groups * 64;
    const int32_t depth = layer->depth, out_width = layer->out_width;
    const int32_t low = layer->low, high = layer->high, is_signed = low < layer->out_zero_point;
    const ec_lanes bias = ec_load_lanes(constants);
    ec_weights of_tap[3];
    int32_t x, i;

    EC_UNROLL
    for (i = 0; i < kept; i++) {
        of_tap[i] = ec_load_weights(weights + 64 * i);
    }
    for (x = 0; x < out_width; x++, window += step, out += depth) {
        ec_lanes sums = bias;
        if (kept) {
            EC_UNROLL
            for (i = 0; i < kept; i++) {
                sums = ec_add_products(sums, ec_load_words(window + 64 * i), of_tap[i]);
            }
        } else {
            for (i = 0; i < taps; i++) {
                sums = ec_add_products(sums, ec_load_words(window + 64 * i), ec_load_weights(weights + 64 * i));
            }
        }
        ec_store_bytes(out, ec_clamp_bytes(ec_requantize_lanes(sums, &scale, is_signed), low, high), channels);
    }
}

static EC_OUT_OF_LINE void ec_depthwise_words_three_taps(
    const struct ec_depthwise_words *layer,
    int8_t *out,
    const uint8_t *window,
    const int8_t *weights,
    const int32_t *constants,
    int32_t channels)
{
    ec_depthwise_words_pixels(layer, out, window, weights, constants, channels, 3);
}

static EC_OUT_OF_LINE void ec_depthwise_words_any_taps(
    const struct ec_depthwise_words *layer,
    int8_t *out,
    const uint8_t *window,
    const int8_t *weights,
    const int32_t *constants,
    int32_t channels)
{
    ec_depthwise_words_pixels(layer, out, window, weights, constants, channels, 0);
}

/* out: [out_width][depth]; in: kernel_h rows of [in_width][depth]; scratch: the columns, and what is written beyond. */
static inline void ec_depthwise_words(
    const struct ec_depthwise_words *layer, int8_t *out, const int8_t *const *in, void *scratch)
{
    uint8_t *const columns = (uint8_t *)scratch;
    const int8_t *weights = layer->weights;
    const int32_t *constants = layer->channels;
    int32_t c;

    for (c = 0; c < layer->depth; c += 16, weights += layer->block, constants += 48) {
        ec_depthwise_words_columns(layer, columns, in, c, layer->depth - c);
        if (layer->kernel_w * layer->groups == 3) {
            ec_depthwise_words_three_taps(layer, out + c, columns, weights, constants, layer->depth - c);
        } else {
            ec_depthwise_words_any_taps(layer, out + c, columns, weights, constants, layer->depth - c);
        }
    }
}

#endif
