/* CONV_2D, int8, per channel, kernel_w = 3, stride 1, for the DSP extension: Winograd's F(2, 3) along the row. Two pixels
 * take four products where a filter's row has six (Lavin and Gray 2016, "Fast algorithms for convolutional neural
 * networks", section 4.1). For pixels d0 to d3 and weights g0 to g2
 *     m0 = (d0 - d2) 2 g0,   m1 = (d1 + d2)(g0 + g1 + g2),   m2 = (d2 - d1)(g0 - g1 + g2),   m3 = (d3 - d1) 2 g2,
 *     twice the first sum is m0 + m1 + m2, twice the second one m1 - m2 + m3:
 * integers throughout, so every bit is right. NULL stands for a row of padding. */
#ifndef EDGECNN_CONV_2D_WINOGRAD_H
#define EDGECNN_CONV_2D_WINOGRAD_H

#include "fixed_point.h"
#include "out_of_line.h"
#include "simd.h"

struct ec_conv_2d_winograd {
    const int32_t *weights;  /* [out_channels / 2][4: m1, m2, m0, m3][column / 4][2][4] of 16 bits */
    const int32_t *channels; /* [out_channels][4]: struct ec_channel */
    int32_t in_width, depth; /* of the input, in pixels, and its channels: a multiple of 4 */
    int32_t kernel_h;
    int32_t column;        /* kernel_h * depth */
    int32_t before, after; /* zeros around the columns, in elements of 16 bits */
    int32_t out_width;     /* 4 or more */
    int32_t out_channels;
    int32_t in_offset; /* minus the input's zero point */
    int32_t low, high; /* of the fused activation */
};

#define EC_WINOGRAD_FOUR                                                                                              \
    "ldrd %Q[first], %R[first], [%[weights]], #8\n\t"                                                                 \
    "ldrd %Q[second], %R[second], [%[weights]], #8\n\t"                                                               \
    "ldrd %Q[x], %R[x], [%[left]], #8\n\t"                                                                            \
    "smlad %[sum0], %Q[x], %Q[first], %[sum0]\n\t"                                                                    \
    "smlad %[sum1], %Q[x], %Q[second], %[sum1]\n\t"                                                                   \
    "smlad %[sum0], %R[x], %R[first], %[sum0]\n\t"                                                                    \
    "smlad %[sum1], %R[x], %R[second], %[sum1]\n\t"                                                                   \
    "ldrd %Q[x], %R[x], [%[right]], #8\n\t"                                                                           \
    "smlad %[sum2], %Q[x], %Q[first], %[sum2]\n\t"                                                                    \
    "smlad %[sum3], %Q[x], %Q[second], %[sum3]\n\t"                                                                   \
    "smlad %[sum2], %R[x], %R[first], %[sum2]\n\t"                                                                    \
    "smlad %[sum3], %R[x], %R[second], %[sum3]\n\t"

#define EC_WINOGRAD_FOURS(text)                                                                                       \
    __asm__ volatile(text                                                                                             \
        : [sum0] "+r"(sum0), [sum1] "+r"(sum1), [sum2] "+r"(sum2), [sum3] "+r"(sum3),                                 \
          [weights] "+r"(weights), [left] "+r"(left), [right] "+r"(right),                                            \
          [first] "=&r"(first), [second] "=&r"(second), [x] "=&r"(x)                                                  \
        :                                                                                                             \
        : "memory")

/* sums[pixel pair][channel of the pair] += numbers of two pixel pairs times the weights of two channels. */
static EC_OUT_OF_LINE const void *ec_winograd_products(
    int32_t *sums, const void *weights, const void *left, const void *right, int32_t column)
{
    int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3], terms;
    uint64_t first, second, x;

    for (terms = column >> 4; terms != 0; terms--) {
        EC_WINOGRAD_FOURS(EC_WINOGRAD_FOUR EC_WINOGRAD_FOUR EC_WINOGRAD_FOUR EC_WINOGRAD_FOUR);
    }
    for (terms = (column & 15) >> 2; terms != 0; terms--) {
        EC_WINOGRAD_FOURS(EC_WINOGRAD_FOUR);
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
    return weights;
}

/* out[m1, m2, m0, m3][column] of the pixel pair whose first column is given. */
static inline void ec_winograd_transform(int16_t *out, const int16_t *columns, int32_t column)
{
    int32_t left;

    for (left = column >> 1; left > 0; left--) {
        int32_t d0, d1, d2, d3, m;
        memcpy(&d0, columns, 4);
        memcpy(&d1, columns + column, 4);
        memcpy(&d2, columns + 2 * column, 4);
        memcpy(&d3, columns + 3 * column, 4);
        m = __sadd16(d1, d2);
        memcpy(out, &m, 4);
        m = __ssub16(d2, d1);
        memcpy(out + column, &m, 4);
        m = __ssub16(d0, d2);
        memcpy(out + 2 * column, &m, 4);
        m = __ssub16(d3, d1);
        memcpy(out + 3 * column, &m, 4);
        columns += 2;
        out += 2;
    }
}

/* Twice a sum, of which the channel's bias is not part yet. */
static inline int8_t ec_round_doubled(int32_t twice, const struct ec_channel *channel)
{
    int32_t high;

    twice += channel->twice_bias;
    __asm__("smmlar %0, %1, %2, %3"
            : "=r"(high) : "r"(twice), "r"(channel->multiplier), "r"(channel->carry + (twice >> 31)));
    return (int8_t)__ssat(high >> channel->shift, 8);
}

/* Four pixels of the output, all channels. numbers: [2 pixel pairs][m1, m2, m0, m3][column] */
static EC_OUT_OF_LINE void ec_winograd_four_pixels(
    const struct ec_conv_2d_winograd *layer, int8_t *out, const int16_t *numbers)
{
    const int32_t column = layer->column, channels = layer->out_channels;
    const struct ec_channel *channel = (const struct ec_channel *)(const void *)layer->channels;
    const void *weights = layer->weights;
    int32_t left, i;

    for (left = channels; left > 0; left -= 2) {
        const int16_t *m = numbers, *n = numbers + 4 * column;
        int32_t even[4] = {0, 0, 0, 0}, odd[4] = {0, 0, 0, 0};

        weights = ec_winograd_products(even, weights, m, n, column);
        weights = ec_winograd_products(odd, weights, m + column, n + column, column);
        for (i = 0; i < 4; i++) {
            const int32_t sum = (int32_t)((uint32_t)even[i] + (uint32_t)odd[i]);
            odd[i] = (int32_t)((uint32_t)even[i] - (uint32_t)odd[i]);
            even[i] = sum;
        }
        weights = ec_winograd_products(even, weights, m + 2 * column, n + 2 * column, column);
        weights = ec_winograd_products(odd, weights, m + 3 * column, n + 3 * column, column);
        for (i = 0; i < (left > 1 ? 2 : 1); i++) {
            const struct ec_channel own = *channel++;
            out[0] = ec_round_doubled(even[i], &own);
            out[channels] = ec_round_doubled(odd[i], &own);
            out[2 * channels] = ec_round_doubled(even[i + 2], &own);
            out[3 * channels] = ec_round_doubled(odd[i + 2], &own);
            out++;
        }
    }
}

/* out: [out_width][out_channels]; in: kernel_h rows of in_width pixels; scratch: the columns, and numbers of two pixel
 * pairs. */
static inline void ec_conv_2d_winograd(
    const struct ec_conv_2d_winograd *layer, int8_t *out, const int8_t *const *in, void *scratch)
{
    const int32_t column = layer->column, depth = layer->depth, kernel_h = layer->kernel_h;
    int16_t *const columns = (int16_t *)scratch;
    int16_t *const inside = columns + layer->before;
    int16_t *const behind = inside + layer->in_width * column;
    int16_t *const numbers = behind + layer->after;
    int32_t ky, x;

    memset(columns, 0, sizeof(*columns) * (size_t)layer->before);
    for (ky = 0; ky < kernel_h; ky++) {
        ec_widen(inside + ky * depth, column, in[ky], layer->in_width, depth, layer->in_offset);
    }
    memset(behind, 0, sizeof(*columns) * (size_t)layer->after);
    for (x = 0; x < layer->out_width; x += 4) {
        const int32_t first = x + 4 <= layer->out_width ? x : layer->out_width - 4; /* some pixels are made twice */
        ec_winograd_transform(numbers, columns + first * column, column);
        ec_winograd_transform(numbers + 4 * column, columns + (first + 2) * column, column);
        ec_winograd_four_pixels(layer, out + first * layer->out_channels, numbers);
    }
    if (layer->low > -128 || layer->high < 127) {
        for (x = layer->out_width * layer->out_channels; x > 0; x--, out++) {
            *out = (int8_t)ec_clamp(*out, layer->low, layer->high);
        }
    }
}

#endif
