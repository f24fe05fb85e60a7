/* DEPTHWISE_CONV_2D, int8, per channel, multiplier 1, any window, for Neon: 16 channels at a time. Four rows of a
 * column lie beside each other for each channel (a quad). One output row from kernel_h input rows; NULL stands for a
 * row of padding. */
#ifndef EDGECNN_DEPTHWISE_QUADS_H
#define EDGECNN_DEPTHWISE_QUADS_H

#include "quads.h"

struct ec_depthwise_quads {
    const int8_t *weights; /* [channels / 16][kernel_w][kernel_h / 4][16][4 rows], both rounded up: rows of zeros; the
                              last 16 channels overlap those before them */
    const int32_t *params; /* [channels / 16][3][16]: bias with the input's zero point, multiplier, minus right shift */
    int32_t in_width, channels;
    int32_t kernel_h, kernel_w;
    int32_t before, columns; /* padding in front, and all that windows see */
    int32_t stride_w, dilation_w;
    int32_t out_width;
    int32_t in_zero_point, out_zero_point;
    int32_t low, high; /* of the fused activation */
};

#if defined(__ARM_NEON)

static EC_INLINE void ec_store_up_to_16(int8_t *to, int8x16_t numbers, int32_t count)
{
    int8_t bytes[16];

    if (count == 16) {
        vst1q_s8(to, numbers);
        return;
    }
    vst1q_s8(bytes, numbers);
    while (count-- > 0) {
        to[count] = bytes[count];
    }
}

/* A row from the channel on that is wanted, or where there is none what stands for it. */
static EC_INLINE const int8_t *ec_depthwise_quads_row(
    const int8_t *const *rows, int32_t index, int32_t count, int32_t first, const int8_t *padding)
{
    return index < count && rows[index] != NULL ? rows[index] + first : padding;
}

/* to: a quad of each of 16 channels, from `first` on, for each column, every `next` bytes; rows: `count` of them, whose
 * pixels are `depth` bytes apart, NULL for padding. */
static EC_OUT_OF_LINE void ec_depthwise_quads_interleave(
    const struct ec_depthwise_quads *layer,
    int8_t *to,
    int32_t next,
    const int8_t *const *rows,
    int32_t count,
    int32_t first,
    int32_t depth)
{
    const int8x16_t padding = vdupq_n_s8((int8_t)layer->in_zero_point);
    const int32_t before = layer->before, width = layer->in_width, behind = layer->columns - before - width;
    int8_t pixel[16]; /* what is read of a row of padding, again and again */
    const int8_t *row0 = ec_depthwise_quads_row(rows, 0, count, first, pixel);
    const int8_t *row1 = ec_depthwise_quads_row(rows, 1, count, first, pixel);
    const int8_t *row2 = ec_depthwise_quads_row(rows, 2, count, first, pixel);
    const int8_t *row3 = ec_depthwise_quads_row(rows, 3, count, first, pixel);
    const int32_t step0 = row0 != pixel ? depth : 0, step1 = row1 != pixel ? depth : 0;
    const int32_t step2 = row2 != pixel ? depth : 0, step3 = row3 != pixel ? depth : 0;
    int8x16x4_t column;
    int32_t left;

    vst1q_s8(pixel, padding);
    column.val[0] = column.val[1] = column.val[2] = column.val[3] = padding;
    for (left = before; left > 0; left--, to += next) {
        vst4q_s8(to, column);
    }
    for (left = width; left > 0; left--, to += next) {
        column.val[0] = vld1q_s8(row0);
        column.val[1] = vld1q_s8(row1);
        column.val[2] = vld1q_s8(row2);
        column.val[3] = vld1q_s8(row3);
        vst4q_s8(to, column);
        row0 += step0;
        row1 += step1;
        row2 += step2;
        row3 += step3;
    }
    column.val[0] = column.val[1] = column.val[2] = column.val[3] = padding;
    for (left = behind; left > 0; left--, to += next) {
        vst4q_s8(to, column);
    }
}

/* rows: the first `count` with 16 channels a pixel, in `to`, which has room for four; NULL for padding. */
static EC_OUT_OF_LINE void ec_depthwise_quads_spread(
    const struct ec_depthwise_quads *layer, const int8_t **rows, int8_t *to, const int8_t *const *in, int32_t count)
{
    const int32_t channels = layer->channels;
    int32_t k, x, c;

    for (k = 0; k < count; k++) {
        rows[k] = in[k] != NULL ? to : NULL;
        for (x = 0; in[k] != NULL && x < layer->in_width; x++, to += 16) {
            for (c = 0; c < channels; c++) {
                to[c] = in[k][x * channels + c];
            }
        }
    }
}

/* 16 channels of a row, or the `channels` that there are. numbers: [columns][in_column][16][4] */
static EC_OUT_OF_LINE void ec_depthwise_quads_pixels(
    const struct ec_depthwise_quads *layer,
    int8_t *out,
    const int8_t *numbers,
    const int8_t *weights,
    const int32_t *params,
    int32_t channels,
    int32_t in_column)
{
    const int16x8_t zero_point = vdupq_n_s16((int16_t)layer->out_zero_point);
    const struct ec_scales scales = ec_load_scales(params + 16);
    const int32_t kernel_w = layer->kernel_w, next_column = 64 * in_column * layer->dilation_w;
    const int32_t next = layer->channels, step = 64 * in_column * layer->stride_w;
    int32_t left, kx, i;

    for (left = layer->out_width; left > 0; left--, out += next, numbers += step) {
        const int8_t *column = numbers, *taps = weights;
        struct ec_sixteen sums = ec_load_sixteen(params);
        for (kx = 0; kx < kernel_w; kx++, column += next_column) {
            for (i = 0; i < in_column; i++, taps += 64) {
                sums = ec_add_quad_of_each(sums, ec_load_64_bytes(column + 64 * i), ec_load_64_bytes(taps));
            }
        }
        ec_store_up_to_16(out, ec_requantize_sixteen(sums, scales, zero_point, 0), channels);
    }
}

/* The same for 16 channels and three columns of up to four rows side by side. */
static EC_INLINE void ec_depthwise_quads_three(
    const struct ec_depthwise_quads *layer,
    int8_t *out,
    const int8_t *numbers,
    const int8_t *weights,
    const int32_t *params,
    const int rectified)
{
    const int16x8_t zero_point = vdupq_n_s16((int16_t)layer->out_zero_point);
    const struct ec_scales scales = ec_load_scales(params + 16);
    const struct ec_sixteen bias = ec_load_sixteen(params);
    const int8x16x4_t taps0 = ec_load_64_bytes(weights), taps1 = ec_load_64_bytes(weights + 64);
    const int8x16x4_t taps2 = ec_load_64_bytes(weights + 128);
    const int32_t next = layer->channels, step = 64 * layer->stride_w;
    int32_t left;

    for (left = layer->out_width; left > 0; left--, out += next, numbers += step) {
        const int8x16x4_t column0 = ec_load_64_bytes(numbers), column1 = ec_load_64_bytes(numbers + 64);
        const int8x16x4_t column2 = ec_load_64_bytes(numbers + 128);
        struct ec_sixteen sums;
        sums.v0 = ec_add_three_quads(
            bias.v0, column0.val[0], taps0.val[0], column1.val[0], taps1.val[0], column2.val[0], taps2.val[0]);
        sums.v1 = ec_add_three_quads(
            bias.v1, column0.val[1], taps0.val[1], column1.val[1], taps1.val[1], column2.val[1], taps2.val[1]);
        sums.v2 = ec_add_three_quads(
            bias.v2, column0.val[2], taps0.val[2], column1.val[2], taps1.val[2], column2.val[2], taps2.val[2]);
        sums.v3 = ec_add_three_quads(
            bias.v3, column0.val[3], taps0.val[3], column1.val[3], taps1.val[3], column2.val[3], taps2.val[3]);
        vst1q_s8(out, ec_requantize_sixteen(sums, scales, zero_point, rectified));
    }
}

static EC_OUT_OF_LINE void ec_depthwise_quads_three_signed(
    const struct ec_depthwise_quads *layer,
    int8_t *out,
    const int8_t *numbers,
    const int8_t *weights,
    const int32_t *params)
{
    ec_depthwise_quads_three(layer, out, numbers, weights, params, 0);
}

/* Where an activation cuts off below the zero point. */
static EC_OUT_OF_LINE void ec_depthwise_quads_three_rectified(
    const struct ec_depthwise_quads *layer,
    int8_t *out,
    const int8_t *numbers,
    const int8_t *weights,
    const int32_t *params)
{
    ec_depthwise_quads_three(layer, out, numbers, weights, params, 1);
}

/* 16 channels of a row from the `first` one on, or all that there are. */
static EC_OUT_OF_LINE void ec_depthwise_quads_sixteen(
    const struct ec_depthwise_quads *layer,
    int8_t *out,
    const int8_t *const *in,
    int8_t *numbers,
    int32_t first,
    int32_t block)
{
    const int32_t channels = layer->channels, in_column = (layer->kernel_h + 3) / 4;
    const int8_t *const weights = layer->weights + 64 * block * layer->kernel_w * in_column;
    const int32_t *const params = layer->params + 48 * block;
    int32_t i;

    for (i = 0; i < in_column; i++) {
        int8_t *const to = numbers + 64 * i;
        const int32_t count = layer->kernel_h - 4 * i < 4 ? layer->kernel_h - 4 * i : 4;
        if (channels >= 16) {
            ec_depthwise_quads_interleave(layer, to, 64 * in_column, in + 4 * i, count, first, channels);
        } else {
            const int8_t *rows[4] = {NULL, NULL, NULL, NULL};
            ec_depthwise_quads_spread(layer, rows, numbers + 64 * layer->columns * in_column, in + 4 * i, count);
            ec_depthwise_quads_interleave(layer, to, 64 * in_column, rows, count, 0, 16);
        }
    }
    if (in_column == 1 && layer->kernel_w == 3 && layer->dilation_w == 1 && channels >= 16) {
        if (layer->low >= layer->out_zero_point) {
            ec_depthwise_quads_three_rectified(layer, out, numbers, weights, params);
        } else {
            ec_depthwise_quads_three_signed(layer, out, numbers, weights, params);
        }
    } else {
        ec_depthwise_quads_pixels(layer, out, numbers, weights, params, channels < 16 ? channels : 16, in_column);
    }
}

/* out: [out_width][channels]; in: kernel_h rows of [in_width][channels]; scratch: [columns][kernel_h / 4][16][4], and
 * where there are fewer than 16 channels [4][in_width][16]. */
static inline void ec_depthwise_quads(
    const struct ec_depthwise_quads *layer, int8_t *out, const int8_t *const *in, void *scratch)
{
    const int32_t channels = layer->channels;
    int32_t c, block = 0;

    for (c = 0; c < channels; c += 16, block++) {
        const int32_t last = channels < 16 ? 0 : channels - 16, first = c < last ? c : last; /* some are made twice */
        ec_depthwise_quads_sixteen(layer, out + first, in, (int8_t *)scratch, first, block);
    }
    if (layer->low > -128 || layer->high < 127) {
        ec_clamp_row(out, layer->out_width * channels, layer->low, layer->high);
    }
}

#else

/* out: [out_width][channels]; in: kernel_h rows of [in_width][channels]; scratch: unused. */
static inline void ec_depthwise_quads(
    const struct ec_depthwise_quads *layer, int8_t *out, const int8_t *const *in, void *scratch)
{
    const int32_t channels = layer->channels, in_column = (layer->kernel_h + 3) / 4;
    int32_t x, c, kx, ky;

    (void)scratch;
    for (x = 0; x < layer->out_width; x++) {
        for (c = 0; c < channels; c++) {
            const int32_t last = c >= channels / 16 * 16 && channels > 16; /* of the blocks, which overlaps */
            const int32_t block = c / 16, place = last ? c - (channels - 16) : c % 16;
            const int8_t *const weights = layer->weights + 64 * block * layer->kernel_w * in_column + 4 * place;
            const int32_t *const param = layer->params + 48 * block + place;
            uint32_t sum = (uint32_t)param[0]; /* parts of it may leave 32 bits */
            int32_t value;
            for (kx = 0; kx < layer->kernel_w; kx++) {
                const int32_t at = x * layer->stride_w + kx * layer->dilation_w - layer->before;
                for (ky = 0; ky < layer->kernel_h; ky++) {
                    const int is_inside = in[ky] != NULL && at >= 0 && at < layer->in_width;
                    const int32_t number = is_inside ? in[ky][at * channels + c] : layer->in_zero_point;
                    sum += (uint32_t)(number * weights[64 * (kx * in_column + ky / 4) + ky % 4]);
                }
            }
            value = ec_multiply((int32_t)sum, param[16], param[32]) + layer->out_zero_point;
            *out++ = (int8_t)ec_clamp(value, layer->low, layer->high);
        }
    }
}

#endif

#endif
