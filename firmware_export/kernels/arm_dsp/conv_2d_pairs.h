/* CONV_2D, int8, per channel, for the DSP extension: two pixels and two channels at a time. The input is widened to 16
 * bits first, column by column: what a filter sees of it then lies in one run. NULL stands for a row of padding. */
#ifndef EDGECNN_CONV_2D_PAIRS_H
#define EDGECNN_CONV_2D_PAIRS_H

#include "fixed_point.h"
#include "out_of_line.h"
#include "simd.h"

struct ec_conv_2d_pairs {
    const int32_t *weights;  /* [out_channels / 2][4 * fours] halfwords, each 256 * odd channel + even channel */
    const int32_t *channels; /* [out_channels][3]: twice the bias, multiplier, right shift */
    int32_t in_width, depth; /* of the input, in pixels, and its channels */
    int32_t kernel_h;
    int32_t before, after; /* zeros around the columns, in elements of 16 bits */
    int32_t shifted;       /* whether a copy of the columns, one element further on, serves the odd pixels */
    int32_t fours;         /* what a filter sees, by 4 */
    int32_t step;          /* elements from a pixel to the next */
    int32_t out_width, out_channels;
    int32_t in_offset, out_half; /* minus the input's zero point; twice the output's zero point, plus 1 */
    int32_t low, high;           /* of the fused activation */
};

/* Sums of a pair of channels for two pixels: of the even channel, and of 256 times the odd one and the even one. */
struct ec_pair_sums {
    int32_t even0, even1, both0, both1;
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

#define EC_ADD_FOURS(text)                                                                                            \
    __asm__ volatile(text                                                                                             \
        : [even0] "+r"(s.even0), [even1] "+r"(s.even1), [both0] "+r"(s.both0), [both1] "+r"(s.both1),                 \
          [weights] "+r"(weights), [pixel0] "+r"(pixel0), [pixel1] "+r"(pixel1),                                      \
          [pair] "=&r"(pair), [x] "=&r"(x), [low] "=&r"(low), [high] "=&r"(high)                                      \
        :                                                                                                             \
        : "memory")

/* Two pixels of the output, all channels; the second one lies `second` elements behind the first and is written to
 * out + next. */
static EC_OUT_OF_LINE void ec_conv_2d_two_pixels(
    const struct ec_conv_2d_pairs *layer, int8_t *out, int32_t next, const int16_t *pixel, int32_t second)
{
    const void *weights = layer->weights;
    const int32_t *channel = layer->channels;
    const int32_t half = layer->out_half;
    int32_t left;

    for (left = layer->out_channels; left > 0; left -= 2) {
        struct ec_pair_sums s = {0, 0, 0, 0};
        const void *pixel0 = pixel, *pixel1 = pixel + second;
        int32_t bias, multiplier, shift, fours, low, high;
        uint64_t pair, x;

        for (fours = layer->fours; fours >= 4; fours -= 4) {
            EC_ADD_FOURS(EC_ADD_FOUR EC_ADD_FOUR EC_ADD_FOUR EC_ADD_FOUR);
        }
        for (; fours > 0; fours--) {
            EC_ADD_FOURS(EC_ADD_FOUR);
        }
        bias = channel[0];
        multiplier = channel[1];
        shift = channel[2];
        out[0] = ec_round_twice(2 * s.even0 + bias, multiplier, shift, half);
        out[next] = ec_round_twice(2 * s.even1 + bias, multiplier, shift, half);
        if (left > 1) {
            s.both0 = (int32_t)((uint32_t)s.both0 - (uint32_t)s.even0) >> 8;
            s.both1 = (int32_t)((uint32_t)s.both1 - (uint32_t)s.even1) >> 8;
            bias = channel[3];
            multiplier = channel[4];
            shift = channel[5];
            out[1] = ec_round_twice(2 * s.both0 + bias, multiplier, shift, half);
            out[next + 1] = ec_round_twice(2 * s.both1 + bias, multiplier, shift, half);
        }
        channel += 6;
        out += 2;
    }
}

/* columns: [zeros before][in_width][kernel_h][depth][zeros after] of 16 bits. */
static inline void ec_conv_2d_columns(const struct ec_conv_2d_pairs *layer, int16_t *columns, const int8_t *const *in)
{
    const int32_t depth = layer->depth, kernel_h = layer->kernel_h;
    int32_t ky;

    memset(columns, 0, sizeof(*columns) * (size_t)layer->before);
    columns += layer->before;
    for (ky = 0; ky < kernel_h; ky++) {
        ec_widen(columns + ky * depth, kernel_h * depth, in[ky], layer->in_width, depth, layer->in_offset);
    }
    memset(columns + layer->in_width * kernel_h * depth, 0, sizeof(*columns) * (size_t)layer->after);
}

/* out: [out_width][out_channels]; in: kernel_h rows of in_width pixels; scratch: the columns. */
static inline void ec_conv_2d_pairs(
    const struct ec_conv_2d_pairs *layer, int8_t *out, const int8_t *const *in, void *scratch)
{
    const int32_t size = layer->before + layer->in_width * layer->kernel_h * layer->depth + layer->after;
    const int32_t next = layer->out_channels;
    int32_t second = layer->step;
    int16_t *columns = (int16_t *)scratch;
    int32_t left;

    ec_conv_2d_columns(layer, columns, in);
    if (layer->shifted) {
        memcpy(columns + size + 1, columns, sizeof(*columns) * (size_t)size);
        second += size + 1;
    }
    for (left = layer->out_width; left > 1; left -= 2) {
        ec_conv_2d_two_pixels(layer, out, next, columns, second);
        columns += 2 * layer->step;
        out += 2 * next;
    }
    if (left > 0) {
        ec_conv_2d_two_pixels(layer, out, 0, columns, 0);
        out += next;
    }
    if (layer->low > -128 || layer->high < 127) {
        for (left = layer->out_width * next; left > 0; left--) {
            out--;
            *out = (int8_t)ec_clamp(*out, layer->low, layer->high);
        }
    }
}

#endif
