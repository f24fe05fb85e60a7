/* CONV_2D, int8, per channel, kernel_w = 3, stride 1, for Neon without the dot product: Winograd's F(4, 3) along the
 * row. Four pixels take six products where a filter's row has twelve (Lavin and Gray 2016, "Fast algorithms for
 * convolutional neural networks", section 4.1). Weights are 24 times those of the paper, whole numbers; sums are then
 * 24 times too large, and are divided without a remainder: every bit is right. NULL stands for a row of padding. */
#ifndef EDGECNN_CONV_2D_WINOGRAD_H
#define EDGECNN_CONV_2D_WINOGRAD_H

#include "columns.h"
#include "neon.h"

struct ec_conv_2d_winograd {
    const int16_t *weights;  /* [out_channels / 16][6][column][16] */
    const int32_t *channels; /* [out_channels / 16][3][16]: bias with the input's zero point, multiplier, minus right
                                shift */
    int32_t in_width, depth; /* of the input, in pixels, and its channels */
    int32_t kernel_h;
    int32_t column;        /* kernel_h * depth, a multiple of 16 */
    int32_t before, after; /* padding around the columns, in bytes */
    int32_t out_width;     /* 4 or more */
    int32_t out_channels;  /* a multiple of 16 */
    int32_t in_zero_point, out_zero_point;
    int32_t low, high; /* of the fused activation */
};

#define EC_WINOGRAD_THIRD UINT32_C(0xAAAAAAAB) /* times 3 it is 1, modulo 2^32 */

#if defined(__aarch64__) && defined(__ARM_NEON)

/* Eight numbers of each product, of eight of each of six columns. */
static EC_INLINE void ec_winograd_transform_eight(
    int16_t *to, int32_t column, int16x8_t d0, int16x8_t d1, int16x8_t d2, int16x8_t d3, int16x8_t d4, int16x8_t d5)
{
    const int16x8_t a = vmlsq_n_s16(d4, d2, 4), b = vmlsq_n_s16(d3, d1, 4);
    const int16x8_t c = vsubq_s16(d4, d2), d = vsubq_s16(d3, d1);

    vst1q_s16(to, vmlaq_n_s16(vsubq_s16(a, d2), d0, 4));
    vst1q_s16(to + column, vaddq_s16(a, b));
    vst1q_s16(to + 2 * column, vsubq_s16(a, b));
    vst1q_s16(to + 3 * column, vmlaq_n_s16(c, d, 2));
    vst1q_s16(to + 4 * column, vmlsq_n_s16(c, d, 2));
    vst1q_s16(to + 5 * column, vmlsq_n_s16(vsubq_s16(d5, d3), d, 4));
}

/* to: [6][column], of six columns of bytes. */
static EC_OUT_OF_LINE void ec_winograd_transform(int16_t *to, const int8_t *columns, int32_t column)
{
    const int8_t *const end = columns + column;

    for (; columns != end; columns += 16, to += 16) {
        const int8x16_t d0 = vld1q_s8(columns), d1 = vld1q_s8(columns + column), d2 = vld1q_s8(columns + 2 * column);
        const int8x16_t d3 = vld1q_s8(columns + 3 * column), d4 = vld1q_s8(columns + 4 * column);
        const int8x16_t d5 = vld1q_s8(columns + 5 * column);
        ec_winograd_transform_eight(
            to, column, vmovl_s8(vget_low_s8(d0)), vmovl_s8(vget_low_s8(d1)), vmovl_s8(vget_low_s8(d2)),
            vmovl_s8(vget_low_s8(d3)), vmovl_s8(vget_low_s8(d4)), vmovl_s8(vget_low_s8(d5)));
        ec_winograd_transform_eight(
            to + 8, column, vmovl_high_s8(d0), vmovl_high_s8(d1), vmovl_high_s8(d2), vmovl_high_s8(d3),
            vmovl_high_s8(d4), vmovl_high_s8(d5));
    }
}

/* Compilers keep some of the sums in memory. v0 to v3 and v8 to v11 are weights of 16 channels for two numbers each, v4
 * to v7 eight numbers of each tile. */
#define EC_WINOGRAD_TILE(s0, s1, s2, s3, w0, w1, numbers)                                                             \
    "smlal %[" #s0 "].4s, " w0 ".4h, " numbers "\n\t"                                                                 \
    "smlal2 %[" #s1 "].4s, " w0 ".8h, " numbers "\n\t"                                                                \
    "smlal %[" #s2 "].4s, " w1 ".4h, " numbers "\n\t"                                                                 \
    "smlal2 %[" #s3 "].4s, " w1 ".8h, " numbers "\n\t"

#define EC_WINOGRAD_TWO_TILES(w0, w1, lane)                                                                           \
    EC_WINOGRAD_TILE(a0, a1, a2, a3, w0, w1, "v4.h[" lane "]")                                                        \
    EC_WINOGRAD_TILE(b0, b1, b2, b3, w0, w1, "v5.h[" lane "]")

#define EC_WINOGRAD_FOUR_TILES(w0, w1, lane)                                                                          \
    EC_WINOGRAD_TWO_TILES(w0, w1, lane)                                                                               \
    EC_WINOGRAD_TILE(c0, c1, c2, c3, w0, w1, "v6.h[" lane "]")                                                        \
    EC_WINOGRAD_TILE(d0, d1, d2, d3, w0, w1, "v7.h[" lane "]")

#define EC_WINOGRAD_EIGHT(TILES)                                                                                      \
    "ld1 {v0.8h-v3.8h}, [%[weights]], #64\n\t"                                                                        \
    "ld1 {v8.8h-v11.8h}, [%[weights]], #64\n\t"                                                                       \
    TILES("v0", "v1", "0") TILES("v2", "v3", "1")                                                                     \
    "ld1 {v0.8h-v3.8h}, [%[weights]], #64\n\t"                                                                        \
    TILES("v8", "v9", "2") TILES("v10", "v11", "3")                                                                   \
    "ld1 {v8.8h-v11.8h}, [%[weights]], #64\n\t"                                                                       \
    TILES("v0", "v1", "4") TILES("v2", "v3", "5")                                                                     \
    TILES("v8", "v9", "6") TILES("v10", "v11", "7")                                                                   \
    "cmp %[tile0], %[end]\n\t"                                                                                        \
    "b.ne 1b"

#define EC_WINOGRAD_CLEAR(s0, s1, s2, s3)                                                                             \
    "movi %[" #s0 "].4s, #0\n\tmovi %[" #s1 "].4s, #0\n\tmovi %[" #s2 "].4s, #0\n\tmovi %[" #s3 "].4s, #0\n\t"

#define EC_WINOGRAD_SUMS(letter, sums)                                                                                \
    [letter##0] "=&w"(sums.v0), [letter##1] "=&w"(sums.v1), [letter##2] "=&w"(sums.v2), [letter##3] "=&w"(sums.v3)

static EC_INLINE void ec_winograd_store(int32_t *to, struct ec_sixteen sums)
{
    vst1q_s32(to, sums.v0);
    vst1q_s32(to + 4, sums.v1);
    vst1q_s32(to + 8, sums.v2);
    vst1q_s32(to + 12, sums.v3);
}

/* Assembly is one string to the compiler, longer than C99 promises. */
#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Woverlength-strings"
#endif

/* sums: [4 tiles][16], of 2 tiles or 4; numbers of a tile lie `next` behind those of the one before. */
static EC_INLINE void ec_winograd_multiply(
    int32_t *sums, const int16_t *tile0, int32_t next, int32_t column, const int16_t *weights, int32_t tiles)
{
    const int16_t *const end = tile0 + column;
    const int16_t *tile1 = tile0 + next, *tile2 = tile1 + next, *tile3 = tile2 + next;
    struct ec_sixteen a, b, c, d;

    if (tiles > 2) {
        __asm__ volatile(EC_WINOGRAD_CLEAR(a0, a1, a2, a3) EC_WINOGRAD_CLEAR(b0, b1, b2, b3)
                         EC_WINOGRAD_CLEAR(c0, c1, c2, c3) EC_WINOGRAD_CLEAR(d0, d1, d2, d3)
                         "1:\n\t"
                         "ldr q4, [%[tile0]], #16\n\tldr q5, [%[tile1]], #16\n\t"
                         "ldr q6, [%[tile2]], #16\n\tldr q7, [%[tile3]], #16\n\t"
                         EC_WINOGRAD_EIGHT(EC_WINOGRAD_FOUR_TILES)
                         : EC_WINOGRAD_SUMS(a, a), EC_WINOGRAD_SUMS(b, b), EC_WINOGRAD_SUMS(c, c),
                           EC_WINOGRAD_SUMS(d, d), [tile0] "+&r"(tile0), [tile1] "+&r"(tile1), [tile2] "+&r"(tile2),
                           [tile3] "+&r"(tile3), [weights] "+&r"(weights)
                         : [end] "r"(end)
                         : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "cc", "memory");
        ec_winograd_store(sums + 32, c);
        ec_winograd_store(sums + 48, d);
    } else {
        __asm__ volatile(EC_WINOGRAD_CLEAR(a0, a1, a2, a3) EC_WINOGRAD_CLEAR(b0, b1, b2, b3)
                         "1:\n\t"
                         "ldr q4, [%[tile0]], #16\n\tldr q5, [%[tile1]], #16\n\t"
                         EC_WINOGRAD_EIGHT(EC_WINOGRAD_TWO_TILES)
                         : EC_WINOGRAD_SUMS(a, a), EC_WINOGRAD_SUMS(b, b), [tile0] "+&r"(tile0), [tile1] "+&r"(tile1),
                           [weights] "+&r"(weights)
                         : [end] "r"(end)
                         : "v0", "v1", "v2", "v3", "v4", "v5", "v8", "v9", "v10", "v11", "cc", "memory");
    }
    ec_winograd_store(sums, a);
    ec_winograd_store(sums + 16, b);
}

#if defined(__clang__)
#pragma clang diagnostic pop
#endif

/* Four pixels of a tile. */
struct ec_winograd_pixels {
    int32x4_t pixel0, pixel1, pixel2, pixel3;
};

/* Four channels, scaled. */
static EC_INLINE struct ec_winograd_pixels ec_winograd_scale_four(const int32_t *sums, const int32_t *params)
{
    const int32_t third = (int32_t)EC_WINOGRAD_THIRD;
    const int32x4_t bias = vld1q_s32(params), multipliers = vld1q_s32(params + 16), shifts = vld1q_s32(params + 32);
    const int32x4_t m1 = vld1q_s32(sums + 64), m2 = vld1q_s32(sums + 128);
    const int32x4_t m3 = vld1q_s32(sums + 192), m4 = vld1q_s32(sums + 256);
    const int32x4_t a = vaddq_s32(m1, m2), b = vsubq_s32(m1, m2), c = vaddq_s32(m3, m4), d = vsubq_s32(m3, m4);
    const int32x4_t y0 = vaddq_s32(vaddq_s32(vld1q_s32(sums), a), c);
    const int32x4_t y3 = vaddq_s32(vmlaq_n_s32(b, d, 8), vld1q_s32(sums + 320));
    struct ec_winograd_pixels four;

    four.pixel0 = vsraq_n_s32(bias, vmulq_n_s32(y0, third), 3);
    four.pixel1 = vsraq_n_s32(bias, vmulq_n_s32(vmlaq_n_s32(b, d, 2), third), 3);
    four.pixel2 = vsraq_n_s32(bias, vmulq_n_s32(vmlaq_n_s32(a, c, 4), third), 3);
    four.pixel3 = vsraq_n_s32(bias, vmulq_n_s32(y3, third), 3);
    four.pixel0 = ec_scale(four.pixel0, multipliers, shifts, 0);
    four.pixel1 = ec_scale(four.pixel1, multipliers, shifts, 0);
    four.pixel2 = ec_scale(four.pixel2, multipliers, shifts, 0);
    four.pixel3 = ec_scale(four.pixel3, multipliers, shifts, 0);
    return four;
}

/* out: four pixels, 8 of their channels; sums: those of one tile out of [6][4 tiles][16]. */
static EC_INLINE void ec_winograd_end_eight(
    int8_t *out, int32_t next, const int32_t *sums, const int32_t *params, int16x8_t zero_point)
{
    const struct ec_winograd_pixels low = ec_winograd_scale_four(sums, params);
    const struct ec_winograd_pixels high = ec_winograd_scale_four(sums + 4, params + 4);

    vst1_s8(out, vqmovn_s16(vqaddq_s16(ec_narrow_8(low.pixel0, high.pixel0), zero_point)));
    vst1_s8(out + next, vqmovn_s16(vqaddq_s16(ec_narrow_8(low.pixel1, high.pixel1), zero_point)));
    vst1_s8(out + 2 * next, vqmovn_s16(vqaddq_s16(ec_narrow_8(low.pixel2, high.pixel2), zero_point)));
    vst1_s8(out + 3 * next, vqmovn_s16(vqaddq_s16(ec_narrow_8(low.pixel3, high.pixel3), zero_point)));
}

/* out: four pixels, 16 channels. */
static EC_OUT_OF_LINE void ec_winograd_end(
    const struct ec_conv_2d_winograd *layer, int8_t *out, const int32_t *sums, const int32_t *params)
{
    const int16x8_t zero_point = vdupq_n_s16((int16_t)layer->out_zero_point);
    const int32_t next = layer->out_channels;

    ec_winograd_end_eight(out, next, sums, params, zero_point);
    ec_winograd_end_eight(out + 8, next, sums + 8, params + 8, zero_point);
}

#else

/* to: [6][column], of six columns of bytes. */
static inline void ec_winograd_transform(int16_t *to, const int8_t *columns, int32_t column)
{
    int32_t i;

    for (i = 0; i < column; i++) {
        const int8_t *const at = columns + i;
        const int32_t d0 = at[0], d1 = at[column], d2 = at[2 * column];
        const int32_t d3 = at[3 * column], d4 = at[4 * column], d5 = at[5 * column];
        to[i] = (int16_t)(4 * d0 - 5 * d2 + d4);
        to[column + i] = (int16_t)(d4 + d3 - 4 * d2 - 4 * d1);
        to[2 * column + i] = (int16_t)(d4 - d3 - 4 * d2 + 4 * d1);
        to[3 * column + i] = (int16_t)(d4 + 2 * d3 - d2 - 2 * d1);
        to[4 * column + i] = (int16_t)(d4 - 2 * d3 - d2 + 2 * d1);
        to[5 * column + i] = (int16_t)(4 * d1 - 5 * d3 + d5);
    }
}

/* sums: [4 tiles][16], of 2 tiles or 4; numbers of a tile lie `next` behind those of the one before. */
static inline void ec_winograd_multiply(
    int32_t *sums, const int16_t *numbers, int32_t next, int32_t column, const int16_t *weights, int32_t tiles)
{
    int32_t t, c, i;

    for (t = 0; t < tiles; t++, numbers += next) {
        for (c = 0; c < 16; c++) {
            uint32_t sum = 0; /* parts of it may leave 32 bits */
            for (i = 0; i < column; i++) {
                sum += (uint32_t)(numbers[i] * weights[16 * i + c]);
            }
            *sums++ = (int32_t)sum;
        }
    }
}

/* out: four pixels, 16 channels; sums: those of one tile out of [6][4 tiles][16]. */
static inline void ec_winograd_end(
    const struct ec_conv_2d_winograd *layer, int8_t *out, const int32_t *sums, const int32_t *params)
{
    int32_t c, x;

    for (c = 0; c < 16; c++) {
        uint32_t m[6], y[4];
        for (x = 0; x < 6; x++) {
            m[x] = (uint32_t)sums[64 * x + c];
        }
        y[0] = m[0] + m[1] + m[2] + m[3] + m[4];
        y[1] = m[1] - m[2] + 2 * (m[3] - m[4]);
        y[2] = m[1] + m[2] + 4 * (m[3] + m[4]);
        y[3] = m[1] - m[2] + 8 * (m[3] - m[4]) + m[5];
        for (x = 0; x < 4; x++) {
            const int32_t eight = (int32_t)(y[x] * EC_WINOGRAD_THIRD);
            const int32_t sum = (int32_t)((uint32_t)params[c] + (uint32_t)(eight >> 3));
            const int32_t value = ec_multiply(sum, params[16 + c], params[32 + c]) + layer->out_zero_point;
            out[x * layer->out_channels + c] = (int8_t)ec_clamp(value, layer->low, layer->high);
        }
    }
}

#endif

/* 2 or 4 tiles, from the `first` on. */
static EC_OUT_OF_LINE void ec_winograd_tiles(
    const struct ec_conv_2d_winograd *layer,
    int8_t *out,
    const int8_t *columns,
    int16_t *numbers,
    int32_t *sums,
    int32_t first,
    int32_t tiles)
{
    const int32_t column = layer->column, last = layer->out_width - 4;
    const int16_t *weights = layer->weights;
    int32_t starts[4], t, f, c;

    for (t = 0; t < tiles; t++) {
        starts[t] = 4 * (first + t) < last ? 4 * (first + t) : last; /* some pixels are made twice */
        ec_winograd_transform(numbers + 6 * column * t, columns + starts[t] * column, column);
    }
    for (c = 0; c < layer->out_channels; c += 16) {
        for (f = 0; f < 6; f++, weights += 16 * column) {
            ec_winograd_multiply(sums + 64 * f, numbers + f * column, 6 * column, column, weights, tiles);
        }
        for (t = 0; t < tiles; t++) {
            ec_winograd_end(layer, out + starts[t] * layer->out_channels + c, sums + 16 * t, layer->channels + 3 * c);
        }
    }
}

/* out: [out_width][out_channels]; in: kernel_h rows of in_width pixels; scratch: the columns, numbers
 * [4 tiles][6][column] of 16 bits, sums [6][4 tiles][16] of 32 bits. */
static inline void ec_conv_2d_winograd(
    const struct ec_conv_2d_winograd *layer, int8_t *out, const int8_t *const *in, void *scratch)
{
    const int32_t column = layer->column, tiles = (layer->out_width + 3) / 4;
    int8_t *const columns = (int8_t *)scratch;
    int8_t *const inside = columns + layer->before;
    int8_t *const behind = inside + layer->in_width * column;
    int16_t *const numbers = (int16_t *)(void *)(behind + layer->after);
    int32_t *const sums = (int32_t *)(void *)(numbers + 4 * 6 * column);
    int32_t first, count;

    memset(columns, layer->in_zero_point, (size_t)layer->before);
    ec_fill_columns(inside, in, layer->kernel_h, layer->in_width, layer->depth, layer->in_zero_point);
    memset(behind, layer->in_zero_point, (size_t)layer->after);
    for (first = 0; first < tiles; first += count) {
        count = tiles - first > 2 ? 4 : 2;
        ec_winograd_tiles(layer, out, columns, numbers, sums, first, count);
    }
#if defined(__ARM_NEON)
    if (layer->low > -128 || layer->high < 127) {
        ec_clamp_row(out, layer->out_width * layer->out_channels, layer->low, layer->high);
    }
#endif
}

#endif
