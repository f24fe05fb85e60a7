/* DEPTHWISE_CONV_2D with multiplier 1 and three taps in a row, int8, per channel: four outputs of a channel at a time,
 * so that each number is loaded once for all that it adds to. The rows are copied with their padding first. NULL stands
 * for a row of padding. */
#ifndef EDGECNN_DEPTHWISE_FOURS_H
#define EDGECNN_DEPTHWISE_FOURS_H

#include "two_in_a_word.h"

struct ec_depthwise_fours {
    const int8_t *weights;   /* [channels][kernel_h][3] */
    const int32_t *channels; /* [channels] struct ec_packed_channel */
    int32_t in_bytes;        /* of a row */
    int32_t depth;           /* channels */
    int32_t out_width;
    int32_t kernel_h, stride_w;
    int32_t before, after; /* bytes of padding */
    int32_t in_zero_point; /* what it holds */
    int32_t low, high;     /* of the fused activation */
};

/* Adds what a number is worth to a sum: the next column, the next tap of an output. */
#define EC_COLUMN (x = *in, in += step)
#define EC_TAP(output, tap) (sum##output += x * tap)

/* sums of four outputs of one channel, stride 1: in points to the first column of kernel_h rows. */
static EC_INLINE void ec_depthwise_four(
    int32_t *sums, const int8_t *in, const int8_t *weights, int32_t step, int32_t pitch, int32_t rows)
{
    int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;

    pitch -= 6 * step;
    do {
        const int32_t left = weights[0], middle = weights[1], right = weights[2];
        int32_t x;

        EC_COLUMN, EC_TAP(0, left);
        EC_COLUMN, EC_TAP(0, middle), EC_TAP(1, left);
        EC_COLUMN, EC_TAP(0, right), EC_TAP(1, middle), EC_TAP(2, left);
        EC_COLUMN, EC_TAP(1, right), EC_TAP(2, middle), EC_TAP(3, left);
        EC_COLUMN, EC_TAP(2, right), EC_TAP(3, middle);
        EC_COLUMN, EC_TAP(3, right);
        weights += 3;
        in += pitch;
    } while (--rows > 0);
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

/* The same for stride 2. */
static EC_OUT_OF_LINE void ec_depthwise_four_stride_2(
    int32_t *sums, const int8_t *in, const int8_t *weights, int32_t step, int32_t pitch, int32_t rows)
{
    int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;

    pitch -= 9 * step;
    do {
        const int32_t left = weights[0], middle = weights[1], right = weights[2];
        int32_t x;

        EC_COLUMN, EC_TAP(0, left);
        EC_COLUMN, EC_TAP(0, middle);
        EC_COLUMN, EC_TAP(0, right), EC_TAP(1, left);
        EC_COLUMN, EC_TAP(1, middle);
        EC_COLUMN, EC_TAP(1, right), EC_TAP(2, left);
        EC_COLUMN, EC_TAP(2, middle);
        EC_COLUMN, EC_TAP(2, right), EC_TAP(3, left);
        EC_COLUMN, EC_TAP(3, middle);
        EC_COLUMN, EC_TAP(3, right);
        weights += 3;
        in += pitch;
    } while (--rows > 0);
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

/* The sum of one output. */
static EC_OUT_OF_LINE int32_t ec_depthwise_one(
    const int8_t *in, const int8_t *weights, int32_t step, int32_t pitch, int32_t rows)
{
    int32_t sum = 0;

    for (; rows > 0; rows--, in += pitch, weights += 3) {
        sum += in[0] * weights[0] + in[step] * weights[1] + in[2 * step] * weights[2];
    }
    return sum;
}

/* All channels of `count` outputs, 4 or 1; in points to the first pixel that they see. */
static EC_OUT_OF_LINE void ec_depthwise_fours_channels(
    const struct ec_depthwise_fours *layer, int8_t *out, const int8_t *in, int32_t count)
{
    const struct ec_packed_channel *channel = (const struct ec_packed_channel *)(const void *)layer->channels;
    const int32_t step = layer->depth, rows = layer->kernel_h, stride = layer->stride_w;
    const int32_t pitch = layer->before + layer->in_bytes + layer->after;
    const int8_t *weights = layer->weights, *const end = weights + 3 * rows * step;
    int32_t sums[4];

    for (; weights != end; weights += 3 * rows, in++) {
        if (count == 1) {
            sums[0] = ec_depthwise_one(in, weights, step, pitch, rows);
        } else if (stride == 1) {
            ec_depthwise_four(sums, in, weights, step, pitch, rows);
        } else {
            ec_depthwise_four_stride_2(sums, in, weights, step, pitch, rows);
        }
        ec_round_sums(out++, step, sums, count, channel++);
    }
}

/* out: [out_width][depth]; in: kernel_h rows of in_bytes; scratch: [kernel_h][before + in_bytes + after]. */
static inline void ec_depthwise_fours(
    const struct ec_depthwise_fours *layer, int8_t *out, const int8_t *const *in, void *scratch)
{
    const int32_t depth = layer->depth, kernel_h = layer->kernel_h, zero_point = layer->in_zero_point;
    const size_t before = (size_t)layer->before, bytes = (size_t)layer->in_bytes, after = (size_t)layer->after;
    int8_t *to = (int8_t *)scratch;
    const int8_t *from = to;
    int32_t i, count;

    for (i = 0; i < kernel_h; i++, to += before + bytes + after) {
        memset(to, zero_point, before);
        if (in[i] != NULL) {
            memcpy(to + before, in[i], bytes);
        } else {
            memset(to + before, zero_point, bytes);
        }
        memset(to + before + bytes, zero_point, after);
    }
    for (i = layer->out_width; i > 0; i -= count) {
        count = i < 4 ? 1 : 4;
        ec_depthwise_fours_channels(layer, out, from, count);
        out += count * depth;
        from += count * layer->stride_w * depth;
    }
    if (layer->low > -128 || layer->high < 127) {
        for (i = layer->out_width * depth; i > 0; i--) {
            out--;
            *out = (int8_t)ec_clamp(*out, layer->low, layer->high);
        }
    }
}

#endif
