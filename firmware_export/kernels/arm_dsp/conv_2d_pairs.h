/* CONV_2D, int8, per channel, for the DSP extension: two pixels and two channels at a time. The input is widened to 16
 * bits first, column by column: what a filter sees of it then lies in one run. NULL stands for a row of padding. */
#ifndef EDGECNN_CONV_2D_PAIRS_H
#define EDGECNN_CONV_2D_PAIRS_H

#include "fixed_point.h"
#include "out_of_line.h"
#include "simd.h"

struct ec_conv_2d_pairs {
    const int32_t *weights;  /* [out_channels / 2][16 * sixteens + 4 * fours] halfwords: 256 * odd + even channel */
    const int32_t *channels; /* [out_channels][4]: twice the bias, multiplier, carry, right shift */
    int32_t in_width, depth; /* of the input, in pixels, and its channels */
    int32_t kernel_h;
    int32_t before, after; /* zeros around the columns, in elements of 16 bits */
    int32_t shifted;       /* whether a copy of the columns, one element further on, serves the odd pixels */
    int32_t sixteens;      /* what a filter sees, by 16 */
    int32_t fours;         /* and the rest by 4 */
    int32_t step;          /* elements from a pixel to the next */
    int32_t out_width, out_channels;
    int32_t in_offset; /* minus the input's zero point */
    int32_t low, high; /* of the fused activation */
};

/* Four numbers of each pixel: 13 instructions for 16 products. Compilers know no way to move an address on while they
 * load two words from it, and repeat loads rather than keep registers. */
#define EC_ADD_FOUR                                                                                                   \
    "ldrd %Q[pair], %R[pair], [%[weights]], #8\n\t"                                                                   \
    "ldrd %Q[x], %R[x], [%[pixel0]], #8\n\t"                                                                          \
    "sxtb16 %[low], %Q[pair]\n\t"                                                                                     \
    "sxtb16 %[high], %R[pair]\n\t"                                                                                    \
    "smlad %[even0], %Q[x], %[low], %[even0]\n\t"                                                                     \
    "smlad %[both0], %Q[x], %Q[pair], %[both0]\n\t"                                                                   \
    "smlad %[even0], %R[x], %[high], %[even0]\n\t"                                                                    \
    "smlad %[both0], %R[x], %R[pair], %[both0]\n\t"                                                                   \
    "ldrd %Q[x], %R[x], [%[pixel1]], #8\n\t"                                                                          \
    "smlad %[even1], %Q[x], %[low], %[even1]\n\t"                                                                     \
    "smlad %[both1], %Q[x], %Q[pair], %[both1]\n\t"                                                                   \
    "smlad %[even1], %R[x], %[high], %[even1]\n\t"                                                                    \
    "smlad %[both1], %R[x], %R[pair], %[both1]\n\t"

/* The same for one pixel: 8 for 8 products. */
#define EC_ADD_FOUR_OF_ONE                                                                                            \
    "ldrd %Q[pair], %R[pair], [%[weights]], #8\n\t"                                                                   \
    "ldrd %Q[x], %R[x], [%[pixel0]], #8\n\t"                                                                          \
    "sxtb16 %[low], %Q[pair]\n\t"                                                                                     \
    "sxtb16 %[high], %R[pair]\n\t"                                                                                    \
    "smlad %[even0], %Q[x], %[low], %[even0]\n\t"                                                                     \
    "smlad %[both0], %Q[x], %Q[pair], %[both0]\n\t"                                                                   \
    "smlad %[even0], %R[x], %[high], %[even0]\n\t"                                                                    \
    "smlad %[both0], %R[x], %R[pair], %[both0]\n\t"

#define EC_ADD_FOURS(text)                                                                                            \
    __asm__ volatile(text                                                                                             \
        : [even0] "+r"(even0), [even1] "+r"(even1), [both0] "+r"(both0), [both1] "+r"(both1),                         \
          [weights] "+r"(weights), [pixel0] "+r"(pixel0), [pixel1] "+r"(pixel1),                                      \
          [pair] "=&r"(pair), [x] "=&r"(x), [low] "=&r"(low), [high] "=&r"(high)                                      \
        :                                                                                                             \
        : "memory")

#define EC_ADD_FOURS_OF_ONE(text)                                                                                     \
    __asm__ volatile(text                                                                                             \
        : [even0] "+r"(even0), [both0] "+r"(both0), [weights] "+r"(weights), [pixel0] "+r"(pixel0),                   \
          [pair] "=&r"(pair), [x] "=&r"(x), [low] "=&r"(low), [high] "=&r"(high)                                      \
        :                                                                                                             \
        : "memory")

/* Two pixels of the output, all channels; the second one lies `step` elements behind the first. */
static EC_OUT_OF_LINE void ec_conv_2d_two_pixels(
    const struct ec_conv_2d_pairs *layer, int8_t *out, const int16_t *pixel, int32_t step)
{
    const void *weights = layer->weights;
    const struct ec_channel *channel = (const struct ec_channel *)(const void *)layer->channels;
    int8_t *next = out + layer->out_channels;
    int32_t left;

    for (left = layer->out_channels; left > 0; left -= 2) {
        const void *pixel0 = pixel, *pixel1 = pixel + step;
        int32_t even0 = 0, even1 = 0, both0 = 0, both1 = 0, terms, low, high;
        uint64_t pair, x;

        for (terms = layer->sixteens; terms != 0; terms--) {
            EC_ADD_FOURS(EC_ADD_FOUR EC_ADD_FOUR EC_ADD_FOUR EC_ADD_FOUR);
        }
        for (terms = layer->fours; terms != 0; terms--) {
            EC_ADD_FOURS(EC_ADD_FOUR);
        }
        both0 = ec_odd_sum(both0, even0);
        both1 = ec_odd_sum(both1, even1);
        ec_round_two(out++, next++, even0, even1, channel++);
        if (left > 1) {
            ec_round_two(out++, next++, both0, both1, channel++);
        }
    }
}

/* One pixel of the output, all channels. */
static EC_OUT_OF_LINE void ec_conv_2d_one_pixel(
    const struct ec_conv_2d_pairs *layer, int8_t *out, const int16_t *pixel)
{
    const void *weights = layer->weights;
    const struct ec_channel *channel = (const struct ec_channel *)(const void *)layer->channels;
    int32_t left;

    for (left = layer->out_channels; left > 0; left -= 2) {
        const void *pixel0 = pixel;
        int32_t even0 = 0, both0 = 0, terms, low, high;
        uint64_t pair, x;

        for (terms = layer->sixteens; terms != 0; terms--) {
            EC_ADD_FOURS_OF_ONE(EC_ADD_FOUR_OF_ONE EC_ADD_FOUR_OF_ONE EC_ADD_FOUR_OF_ONE EC_ADD_FOUR_OF_ONE);
        }
        for (terms = layer->fours; terms != 0; terms--) {
            EC_ADD_FOURS_OF_ONE(EC_ADD_FOUR_OF_ONE);
        }
        *out++ = ec_round_twice(even0, channel++);
        if (left > 1) {
            *out++ = ec_round_twice(ec_odd_sum(both0, even0), channel++);
        }
    }
}

/* out: [out_width][out_channels]; in: kernel_h rows of in_width pixels; scratch: the columns. */
static inline void ec_conv_2d_pairs(
    const struct ec_conv_2d_pairs *layer, int8_t *out, const int8_t *const *in, void *scratch)
{
    const int32_t size = layer->before + layer->in_width * layer->kernel_h * layer->depth + layer->after;
    int32_t step = layer->step;
    int16_t *columns = (int16_t *)scratch;
    int8_t *const row = out;
    int32_t left = layer->out_width;

    ec_columns(
        columns, in, layer->in_width, layer->depth, layer->kernel_h, layer->in_offset, layer->before, layer->after);
    if (layer->shifted) {
        memcpy(columns + size + 1, columns, sizeof(*columns) * (size_t)size);
        step += size + 1;
    }
    for (; left > 1; left -= 2) {
        ec_conv_2d_two_pixels(layer, out, columns, step);
        columns += 2 * layer->step;
        out += 2 * layer->out_channels;
    }
    if (left > 0) {
        ec_conv_2d_one_pixel(layer, out, columns);
    }
    ec_clamp_all(row, layer->out_width * layer->out_channels, layer->low, layer->high);
}

#endif
