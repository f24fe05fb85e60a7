/* CONV_2D, int8, per channel, for the DSP extension: one pixel and four channels at a time, the input widened to 16
 * bits as it is read. Needs no memory. NULL stands for a row of padding. */
#ifndef EDGECNN_CONV_2D_WINDOWS_H
#define EDGECNN_CONV_2D_WINDOWS_H

#include "out_of_line.h"
#include "simd.h"

struct ec_conv_2d_windows {
    const int32_t *weights;  /* [out_channels / 4][kernel_h][run / 4][2][4: 0, 2, 1, 3] halfwords: 256 * odd + even */
    const int32_t *channels; /* [out_channels][4]: twice the bias, multiplier, carry, right shift */
    int32_t in_width, depth; /* of the input, in pixels, and its channels */
    int32_t kernel_h, kernel_w;
    int32_t run; /* kernel_w * depth, with zeros to a multiple of 4 */
    int32_t stride;
    int32_t before; /* pixels of padding on the left */
    int32_t out_width, out_channels;
    int32_t in_offset; /* minus the input's zero point */
    int32_t low, high; /* of the fused activation */
};

/* Two channels of four numbers, which are in first and second. */
#define EC_WINDOW_PAIR(even, both)                                                                                    \
    "ldrd %Q[pair], %R[pair], [%[weights]], #8\n\t"                                                                   \
    "sxtb16 %[narrow], %Q[pair]\n\t"                                                                                  \
    "smlad %[" both "], %[first], %Q[pair], %[" both "]\n\t"                                                          \
    "smlad %[" even "], %[first], %[narrow], %[" even "]\n\t"                                                         \
    "sxtb16 %[narrow], %R[pair]\n\t"                                                                                  \
    "smlad %[" both "], %[second], %R[pair], %[" both "]\n\t"                                                         \
    "smlad %[" even "], %[second], %[narrow], %[" even "]\n\t"

/* Four channels of four numbers: 17 instructions for 16 products. */
#define EC_WINDOW_FOUR                                                                                                \
    "ldr %[second], [%[row]], #4\n\t"                                                                                 \
    "sxtab16 %[first], %[offsets], %[second]\n\t"                                                                     \
    "sxtab16 %[second], %[offsets], %[second], ror #8\n\t"                                                            \
    EC_WINDOW_PAIR("even0", "both0") EC_WINDOW_PAIR("even1", "both1")

#define EC_WINDOW_FOURS(text)                                                                                         \
    __asm__ volatile(text                                                                                             \
        : [even0] "+r"(even0), [both0] "+r"(both0), [even1] "+r"(even1), [both1] "+r"(both1),                         \
          [weights] "+r"(weights), [row] "+r"(row), [pair] "=&r"(pair),                                               \
          [first] "=&r"(first), [second] "=&r"(second), [narrow] "=&r"(narrow)                                        \
        : [offsets] "r"(offsets)                                                                                      \
        : "memory")

/* Of two pairs of channels: of the even one, and that plus 256 times that of the odd one. */
struct ec_window_sums {
    int32_t even[2], both[2];
};

/* sums += a number of the row. four: the weights of it and its neighbours. */
static inline void ec_window_add_one(struct ec_window_sums *sums, int32_t number, const int16_t *four, int32_t place)
{
    sums->even[0] += number * (int8_t)four[place];
    sums->both[0] += number * four[place];
    sums->even[1] += number * (int8_t)four[place + 4];
    sums->both[1] += number * four[place + 4];
}

/* sums += count numbers of the row, by four. */
static EC_INLINE void ec_window_add_fours(
    struct ec_window_sums *sums, const int8_t *row, const int16_t *weights, int32_t count, int32_t offset)
{
    const int32_t offsets = (int32_t)((uint32_t)offset << 16 | ((uint32_t)offset & 0xFFFFu));
    int32_t even0 = sums->even[0], even1 = sums->even[1], both0 = sums->both[0], both1 = sums->both[1];
    int32_t left, first, second, narrow;
    uint64_t pair;

    for (left = count; left >= 16; left -= 16) {
        EC_WINDOW_FOURS(EC_WINDOW_FOUR EC_WINDOW_FOUR EC_WINDOW_FOUR EC_WINDOW_FOUR);
    }
    for (; left >= 4; left -= 4) {
        EC_WINDOW_FOURS(EC_WINDOW_FOUR);
    }
    sums->even[0] = even0;
    sums->even[1] = even1;
    sums->both[0] = both0;
    sums->both[1] = both1;
}

/* sums += numbers from `at` to `end` of a window's row, whose number 0 is row[0]. */
static EC_INLINE void ec_window_add(
    struct ec_window_sums *sums, const int8_t *row, const int16_t *weights, int32_t at, int32_t end, int32_t offset)
{
    int32_t whole;

    for (; (at & 3) != 0 && at < end; at++) {
        ec_window_add_one(sums, row[at] + offset, weights + 2 * (at & ~3), EC_PLACE_OF_FOUR(at & 3));
    }
    whole = (end - at) & ~3;
    if (whole > 0) {
        ec_window_add_fours(sums, row + at, weights + 2 * at, whole, offset);
        at += whole;
    }
    for (; at < end; at++) {
        ec_window_add_one(sums, row[at] + offset, weights + 2 * (at & ~3), EC_PLACE_OF_FOUR(at & 3));
    }
}

/* A pixel of the output, all channels. x: of the input, where the window begins. */
static EC_OUT_OF_LINE void ec_window(
    const struct ec_conv_2d_windows *layer, int8_t *out, const int8_t *const *in, int32_t x)
{
    const int32_t depth = layer->depth, inside = layer->in_width - x;
    const int32_t begin = x < 0 ? -x * depth : 0;
    const int32_t end = (inside < layer->kernel_w ? inside : layer->kernel_w) * depth;
    const int16_t *weights = (const int16_t *)(const void *)layer->weights;
    const struct ec_channel *channel = (const struct ec_channel *)(const void *)layer->channels;
    int32_t left, ky, i;

    for (left = layer->out_channels; left > 0; left -= 4) {
        struct ec_window_sums sums = {{0, 0}, {0, 0}};

        for (ky = 0; ky < layer->kernel_h; ky++, weights += 2 * layer->run) {
            if (in[ky] != NULL && begin < end) {
                ec_window_add(&sums, in[ky] + x * depth, weights, begin, end, layer->in_offset);
            }
        }
        for (i = 0; i < 2 && left > 2 * i; i++) {
            *out++ = ec_round_twice(sums.even[i], channel++);
            if (left > 2 * i + 1) {
                *out++ = ec_round_twice(ec_odd_sum(sums.both[i], sums.even[i]), channel++);
            }
        }
    }
}

/* out: [out_width][out_channels]; in: kernel_h rows of in_width pixels. */
static inline void ec_conv_2d_windows(const struct ec_conv_2d_windows *layer, int8_t *out, const int8_t *const *in)
{
    int32_t x;

    for (x = 0; x < layer->out_width; x++) {
        ec_window(layer, out + x * layer->out_channels, in, x * layer->stride - layer->before);
    }
    ec_clamp_all(out, layer->out_width * layer->out_channels, layer->low, layer->high);
}

#endif
