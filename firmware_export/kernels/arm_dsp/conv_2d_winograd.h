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
    int32_t in_width, depth; /* of the input, in pixels, and its channels */
    int32_t kernel_h;
    int32_t column;          /* kernel_h * depth, rounded up to a multiple of 4: weights of 0 take what is behind */
    int32_t sixteens, fours; /* of it, and the rest */
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

/* Sums of two pixel pairs, each for the two channels of a pair. */
struct ec_winograd_sums {
    int32_t sum0, sum1, sum2, sum3;
};

/* sums += the numbers of two pixel pairs times the weights of two channels. */
static inline const void *ec_winograd_add(
    struct ec_winograd_sums *sums,
    const struct ec_conv_2d_winograd *layer,
    const void *weights,
    const void *left,
    const void *right)
{
    int32_t sum0 = sums->sum0, sum1 = sums->sum1, sum2 = sums->sum2, sum3 = sums->sum3, terms;
    uint64_t first, second, x;

    for (terms = layer->sixteens; terms != 0; terms--) {
        EC_WINOGRAD_FOURS(EC_WINOGRAD_FOUR EC_WINOGRAD_FOUR EC_WINOGRAD_FOUR EC_WINOGRAD_FOUR);
    }
    for (terms = layer->fours; terms != 0; terms--) {
        EC_WINOGRAD_FOURS(EC_WINOGRAD_FOUR);
    }
    sums->sum0 = sum0;
    sums->sum1 = sum1;
    sums->sum2 = sum2;
    sums->sum3 = sum3;
    return weights;
}

/* Four numbers of each of four columns to four of each product; addresses move on. */
#define EC_WINOGRAD_TRANSFORM_FOUR                                                                                    \
    "ldrd %Q[b], %R[b], [%[column1]], #8\n\t"                                                                         \
    "ldrd %Q[c], %R[c], [%[column2]], #8\n\t"                                                                         \
    "sadd16 %Q[m], %Q[b], %Q[c]\n\t"                                                                                  \
    "sadd16 %R[m], %R[b], %R[c]\n\t"                                                                                  \
    "strd %Q[m], %R[m], [%[product1]], #8\n\t"                                                                        \
    "ssub16 %Q[m], %Q[c], %Q[b]\n\t"                                                                                  \
    "ssub16 %R[m], %R[c], %R[b]\n\t"                                                                                  \
    "strd %Q[m], %R[m], [%[product2]], #8\n\t"                                                                        \
    "ldrd %Q[m], %R[m], [%[column0]], #8\n\t"                                                                         \
    "ssub16 %Q[m], %Q[m], %Q[c]\n\t"                                                                                  \
    "ssub16 %R[m], %R[m], %R[c]\n\t"                                                                                  \
    "ldrd %Q[c], %R[c], [%[column3]], #8\n\t"                                                                         \
    "strd %Q[m], %R[m], [%[product0]], #8\n\t"                                                                        \
    "ssub16 %Q[c], %Q[c], %Q[b]\n\t"                                                                                  \
    "ssub16 %R[c], %R[c], %R[b]\n\t"                                                                                  \
    "strd %Q[c], %R[c], [%[product3]], #8"

/* out[m1, m2, m0, m3][column] of the pixel pair whose first column is given. */
static EC_OUT_OF_LINE void ec_winograd_transform(int16_t *out, const int16_t *columns, int32_t column)
{
    const int16_t *column0 = columns, *column1 = columns + column;
    const int16_t *column2 = columns + 2 * column, *column3 = columns + 3 * column;
    int16_t *product1 = out, *product2 = out + column, *product0 = out + 2 * column, *product3 = out + 3 * column;
    int16_t *const end = product2;
    uint64_t b, c, m;

    do {
        __asm__ volatile(EC_WINOGRAD_TRANSFORM_FOUR
            : [column0] "+r"(column0), [column1] "+r"(column1), [column2] "+r"(column2), [column3] "+r"(column3),
              [product0] "+r"(product0), [product1] "+r"(product1), [product2] "+r"(product2),
              [product3] "+r"(product3), [b] "=&r"(b), [c] "=&r"(c), [m] "=&r"(m)
            :
            : "memory");
    } while (product1 != end);
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

/* Four pixels of one channel. */
static inline void ec_winograd_round(
    int8_t *out, int32_t next, int32_t twice0, int32_t twice1, int32_t twice2, int32_t twice3,
    const struct ec_channel *channel)
{
    const struct ec_channel own = *channel;

    *out = ec_round_doubled(twice0, &own);
    out += next;
    *out = ec_round_doubled(twice1, &own);
    out += next;
    *out = ec_round_doubled(twice2, &own);
    out += next;
    *out = ec_round_doubled(twice3, &own);
}

/* Four pixels of the output, all channels. numbers: [2 pixel pairs][m1, m2, m0, m3][column] */
static EC_OUT_OF_LINE void ec_winograd_four_pixels(
    const struct ec_conv_2d_winograd *layer, int8_t *out, const int16_t *numbers)
{
    const int32_t column = layer->column, channels = layer->out_channels;
    const struct ec_channel *channel = (const struct ec_channel *)(const void *)layer->channels;
    const void *weights = layer->weights;
    int32_t left;

    for (left = channels; left > 0; left -= 2) {
        const int16_t *m = numbers, *n = numbers + 4 * column;
        struct ec_winograd_sums first = {0, 0, 0, 0}, other = {0, 0, 0, 0}, second;

        weights = ec_winograd_add(&first, layer, weights, m, n);
        weights = ec_winograd_add(&other, layer, weights, m + column, n + column);
        second.sum0 = first.sum0 - other.sum0;
        second.sum1 = first.sum1 - other.sum1;
        second.sum2 = first.sum2 - other.sum2;
        second.sum3 = first.sum3 - other.sum3;
        first.sum0 += other.sum0;
        first.sum1 += other.sum1;
        first.sum2 += other.sum2;
        first.sum3 += other.sum3;
        weights = ec_winograd_add(&first, layer, weights, m + 2 * column, n + 2 * column);
        weights = ec_winograd_add(&second, layer, weights, m + 3 * column, n + 3 * column);
        ec_winograd_round(out++, channels, first.sum0, second.sum0, first.sum2, second.sum2, channel++);
        if (left > 1) {
            ec_winograd_round(out++, channels, first.sum1, second.sum1, first.sum3, second.sum3, channel++);
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
