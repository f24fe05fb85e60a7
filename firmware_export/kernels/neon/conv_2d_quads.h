/* CONV_2D and FULLY_CONNECTED, int8, per channel, for Neon: 16 channels of several pixels at a time. What a filter sees
 * is one run of bytes, of which four neighbours (a quad) are multiplied by those of each channel. NULL stands for a row
 * of padding. */
#ifndef EDGECNN_CONV_2D_QUADS_H
#define EDGECNN_CONV_2D_QUADS_H

#include "columns.h"
#include "quads.h"

struct ec_conv_2d_quads {
    const int8_t *weights;   /* [out_channels / 16][run / 4][16][4], the rest of the channels
                                [rest / 4][run / 4][4][4] */
    const int32_t *channels; /* [out_channels / 16][3][16], the rest [rest / 4][3][4]: bias with the input's zero point,
                                multiplier, minus right shift */
    int32_t in_width, depth; /* of the input, in pixels, and its channels */
    int32_t kernel_h;
    int32_t before, after; /* padding around the columns, in bytes */
    int32_t run;           /* what a filter sees, in bytes, a multiple of 16 */
    int32_t step;          /* bytes from a pixel to the next */
    int32_t out_width, out_channels;
    int32_t in_zero_point, out_zero_point;
    int32_t low, high; /* of the fused activation */
};

#if defined(__ARM_NEON)

#define EC_CONV_2D_QUADS_STORE(i)                                                                                     \
    vst1q_s8(out, ec_requantize_sixteen(ec_total(sums[i], params), scales, zero_point, rectified));                   \
    out += next;

static EC_INLINE void ec_conv_2d_quads_either(
    const struct ec_conv_2d_quads *layer,
    int8_t *out,
    const int8_t *pixel,
    const int8_t *weights,
    const int32_t *params,
    const int rectified)
{
    const int16x8_t zero_point = vdupq_n_s16((int16_t)layer->out_zero_point);
    const int32_t step = layer->step, run = layer->run, next = layer->out_channels;
    struct ec_scales scales;
    int32_t left = layer->out_width;

#if EC_PIXELS > 1
    for (; left >= EC_PIXELS; left -= EC_PIXELS) {
        struct ec_sums sums[EC_PIXELS];
        ec_dot_pixels(sums, pixel, step, run, weights, params);
        scales = ec_load_scales(params + 16);
        EC_EACH_PIXEL(EC_CONV_2D_QUADS_STORE)
        pixel += EC_PIXELS * step;
    }
#endif
    for (; left > 0; left--, pixel += step) {
        const struct ec_sums sums[1] = {ec_dot_pixel(pixel, run, weights, params)};
        scales = ec_load_scales(params + 16);
        EC_CONV_2D_QUADS_STORE(0)
    }
}

/* 16 channels of a row. */
static EC_OUT_OF_LINE void ec_conv_2d_quads_sixteen(
    const struct ec_conv_2d_quads *layer,
    int8_t *out,
    const int8_t *pixel,
    const int8_t *weights,
    const int32_t *params)
{
    ec_conv_2d_quads_either(layer, out, pixel, weights, params, 0);
}

/* The same where an activation cuts off below the zero point. */
static EC_OUT_OF_LINE void ec_conv_2d_quads_rectified(
    const struct ec_conv_2d_quads *layer,
    int8_t *out,
    const int8_t *pixel,
    const int8_t *weights,
    const int32_t *params)
{
    ec_conv_2d_quads_either(layer, out, pixel, weights, params, 1);
}

/* Four channels of a row, or the `channels` that are left. */
static EC_OUT_OF_LINE void ec_conv_2d_quads_four(
    const struct ec_conv_2d_quads *layer,
    int8_t *out,
    const int8_t *pixel,
    const int8_t *weights,
    const int32_t *params,
    int32_t channels)
{
    const int16x8_t zero_point = vdupq_n_s16((int16_t)layer->out_zero_point);
    const int32x4_t bias = vld1q_s32(params), multipliers = vld1q_s32(params + 4), shifts = vld1q_s32(params + 8);
    int32_t left, i;

    for (left = layer->out_width; left > 0; left--) {
        int32x4_t sums = bias;
        int8_t four[16];
        struct ec_sixteen scaled;

        for (i = 0; i < layer->run; i += 16) {
            sums = ec_add_sixteen_of_four(sums, ec_load_64_bytes(weights + 4 * i), vld1q_s8(pixel + i));
        }
        scaled.v0 = scaled.v1 = scaled.v2 = scaled.v3 = ec_scale(sums, multipliers, shifts, 0);
        vst1q_s8(four, ec_end_sixteen(scaled, zero_point));
        for (i = 0; i < channels; i++) {
            out[i] = four[i];
        }
        pixel += layer->step;
        out += layer->out_channels;
    }
}

#else

/* `block` channels of a row, of which `channels` are there. */
static inline void ec_conv_2d_quads_plain(
    const struct ec_conv_2d_quads *layer,
    int8_t *out,
    const int8_t *pixel,
    const int8_t *weights,
    const int32_t *params,
    int32_t block,
    int32_t channels)
{
    int32_t x, c, i;

    for (x = 0; x < layer->out_width; x++, pixel += layer->step, out += layer->out_channels) {
        for (c = 0; c < channels; c++) {
            const int32_t *const param = params + c;
            uint32_t sum = (uint32_t)param[0]; /* parts of it may leave 32 bits */
            int32_t value;
            for (i = 0; i < layer->run; i++) {
                sum += (uint32_t)(pixel[i] * weights[i / 4 * 4 * block + 4 * c + i % 4]);
            }
            value = ec_multiply((int32_t)sum, param[block], param[2 * block]) + layer->out_zero_point;
            out[c] = (int8_t)ec_clamp(value, layer->low, layer->high);
        }
    }
}

static inline void ec_conv_2d_quads_sixteen(
    const struct ec_conv_2d_quads *layer,
    int8_t *out,
    const int8_t *pixel,
    const int8_t *weights,
    const int32_t *params)
{
    ec_conv_2d_quads_plain(layer, out, pixel, weights, params, 16, 16);
}

static inline void ec_conv_2d_quads_rectified(
    const struct ec_conv_2d_quads *layer,
    int8_t *out,
    const int8_t *pixel,
    const int8_t *weights,
    const int32_t *params)
{
    ec_conv_2d_quads_plain(layer, out, pixel, weights, params, 16, 16);
}

static inline void ec_conv_2d_quads_four(
    const struct ec_conv_2d_quads *layer,
    int8_t *out,
    const int8_t *pixel,
    const int8_t *weights,
    const int32_t *params,
    int32_t channels)
{
    ec_conv_2d_quads_plain(layer, out, pixel, weights, params, 4, channels);
}

#endif

/* A row of the output from one whose pixels lie `step` bytes apart. */
static EC_OUT_OF_LINE void ec_conv_2d_quads_row(const struct ec_conv_2d_quads *layer, int8_t *row, const int8_t *pixel)
{
    int8_t *out = row;
    const int8_t *weights = layer->weights;
    const int32_t *params = layer->channels;
    int32_t left;

    for (left = layer->out_channels; left >= 16; left -= 16) {
        if (layer->low >= layer->out_zero_point) {
            ec_conv_2d_quads_rectified(layer, out, pixel, weights, params);
        } else {
            ec_conv_2d_quads_sixteen(layer, out, pixel, weights, params);
        }
        weights += 16 * layer->run;
        params += 3 * 16;
        out += 16;
    }
    for (; left > 0; left -= 4) {
        ec_conv_2d_quads_four(layer, out, pixel, weights, params, left < 4 ? left : 4);
        weights += 4 * layer->run;
        params += 3 * 4;
        out += 4;
    }
#if defined(__ARM_NEON)
    if (layer->low > -128 || layer->high < 127) {
        ec_clamp_row(row, layer->out_width * layer->out_channels, layer->low, layer->high);
    }
#endif
}

/* out: [out_width][out_channels]; in: kernel_h rows of in_width pixels; scratch: the columns. */
static inline void ec_conv_2d_quads(
    const struct ec_conv_2d_quads *layer, int8_t *out, const int8_t *const *in, void *scratch)
{
    int8_t *const columns = (int8_t *)scratch;
    int8_t *const behind = columns + layer->before + layer->in_width * layer->kernel_h * layer->depth;

    memset(columns, layer->in_zero_point, (size_t)layer->before);
    ec_fill_columns(
        columns + layer->before, in, layer->kernel_h, layer->in_width, layer->depth, layer->in_zero_point);
    memset(behind, layer->in_zero_point, (size_t)layer->after);
    ec_conv_2d_quads_row(layer, out, columns);
}

/* The same where a filter sees a pixel, of a multiple of 16 channels: the row needs no copy. */
static inline void ec_conv_2d_quads_in_place(const struct ec_conv_2d_quads *layer, int8_t *out, const int8_t *const *in)
{
    ec_conv_2d_quads_row(layer, out, in[0]);
}

#endif
