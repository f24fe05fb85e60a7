/* CONV_2D, int8, per channel, 3x3, stride 1, for the DSP extension: Winograd's F(2x2, 3x3), two rows of the output at
 * a time (Lavin and Gray 2016, "Fast algorithms for convolutional neural networks", section 4.1). Four pixels, a tile,
 * take 16 products where the filter has 36. Along each axis, for pixels d0 to d3 and weights g0 to g2,
 *     m0 = (d0 - d2) 2 g0,   m1 = (d1 + d2)(g0 + g1 + g2),   m2 = (d2 - d1)(g0 - g1 + g2),   m3 = (d3 - d1) 2 g2,
 *     twice the first sum is m0 + m1 + m2, twice the second one m1 - m2 + m3:
 * integers throughout, so every bit is right. The zero point of the input is left in: it reaches product (1, 1) alone,
 * and the bias makes up for it. NULL stands for a row of padding. The loops are assembly: they take every register. */
#ifndef EDGECNN_CONV_2D_TILES_H
#define EDGECNN_CONV_2D_TILES_H

#include "out_of_line.h"
#include "simd.h"
#include "tile_products.h"

struct ec_conv_2d_tiles {
    const int32_t *weights;  /* [out_channels][4: i = 3 to 0][4: j = 3, 0, 2, 1][depth / 2]
                              * and bias, multiplier, carry, shift */
    int32_t in_width, depth; /* of the input, in pixels, and its channels: a multiple of 8, at most 64 */
    int32_t before;          /* pixels of padding on the left */
    int32_t out_width;       /* 8 or more */
    int32_t out_channels;
    int32_t in_zero_point;
    int32_t low, high; /* of the fused activation */
};

/* Bytes 1 and 3 as halfwords. */
static EC_INLINE int16x2_t ec_odd_bytes(int8x4_t bytes)
{
    int16x2_t halfwords;

    __asm__("sxtb16 %0, %1, ror #8" : "=r"(halfwords) : "r"(bytes));
    return halfwords;
}

/* Two numbers of a column, down: rows 0 to 3 of words become those of products. */
#define EC_TILES_TWO(out, a, b, c, d)                                                                                 \
    do {                                                                                                              \
        (out)[0] = (int32_t)__ssub16(a, c);                                                                           \
        (out)[EC_TILES_COLUMNS] = (int32_t)__sadd16(b, c);                                                            \
        (out)[2 * EC_TILES_COLUMNS] = (int32_t)__ssub16(c, b);                                                        \
        (out)[3 * EC_TILES_COLUMNS] = (int32_t)__ssub16(d, b);                                                        \
    } while (0)

/* out[depth / 2][4][EC_TILES_COLUMNS], a column of it: two numbers of each of four rows, combined down the column. */
static EC_OUT_OF_LINE void ec_tiles_column(int32_t *out, const int8_t *const *rows, int32_t at, int32_t depth)
{
    const int8_t *row0 = rows[0] + at, *row1 = rows[1] + at, *row2 = rows[2] + at, *row3 = rows[3] + at;
    const int8_t *const end = row0 + depth;

    do {
        int8x4_t a, b, c, d;
        memcpy(&a, row0, 4);
        memcpy(&b, row1, 4);
        memcpy(&c, row2, 4);
        memcpy(&d, row3, 4);
        row0 += 4;
        row1 += 4;
        row2 += 4;
        row3 += 4;
        EC_TILES_TWO(out, __sxtb16(a), __sxtb16(b), __sxtb16(c), __sxtb16(d));
        out += 4 * EC_TILES_COLUMNS;
        EC_TILES_TWO(out, ec_odd_bytes(a), ec_odd_bytes(b), ec_odd_bytes(c), ec_odd_bytes(d));
        out += 4 * EC_TILES_COLUMNS;
    } while (row0 != end);
}

/* Across: in: ten columns of a row of each [depth / 2][4][EC_TILES_COLUMNS]; out[j][depth / 2][EC_TILES], for j = 3, 0,
 * 2, 1, `next` words apart. 29 instructions for 16 words. */
static EC_OUT_OF_LINE void ec_tiles_across(int32_t *out, const int32_t *in, int32_t next, int32_t depth)
{
    register int32_t *r1 __asm__("r1") = out;
    register int32_t *r2 __asm__("r2") = out + next;
    register int32_t *r3 __asm__("r3") = out + 2 * next;
    register int32_t *r4 __asm__("r4") = out + 3 * next;
    register const int32_t *r0 __asm__("r0") = in;
    register const int32_t *r12 __asm__("r12") = in + 2 * EC_TILES_COLUMNS * depth;

    __asm__ volatile(
        "push {r7}\n\t"
        "mov lr, r12\n"
        "1:\n\t"
        "ldmia r0!, {r5-r10}\n\t"
        "ssub16 r11, r5, r7\n\tssub16 r12, r7, r9\n\tstrd r11, r12, [r2], #8\n\t"
        "sadd16 r11, r6, r7\n\tsadd16 r12, r8, r9\n\tstrd r11, r12, [r4], #8\n\t"
        "ssub16 r11, r7, r6\n\tssub16 r12, r9, r8\n\tstrd r11, r12, [r3], #8\n\t"
        "ssub16 r11, r8, r6\n\tssub16 r12, r10, r8\n\tstrd r11, r12, [r1], #8\n\t"
        "ldmia r0!, {r5-r8}\n\t"
        "ssub16 r11, r9, r5\n\tssub16 r12, r5, r7\n\tstrd r11, r12, [r2], #8\n\t"
        "sadd16 r11, r10, r5\n\tsadd16 r12, r6, r7\n\tstrd r11, r12, [r4], #8\n\t"
        "ssub16 r11, r5, r10\n\tssub16 r12, r7, r6\n\tstrd r11, r12, [r3], #8\n\t"
        "ssub16 r11, r6, r10\n\tssub16 r12, r8, r6\n\tstrd r11, r12, [r1], #8\n\t"
        "add r0, r0, #120\n\t"
        "cmp r0, lr\n\t"
        "bne 1b\n\t"
        "pop {r7}"
        : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r4), "+r"(r12)
        :
        : "r5", "r6", "r8", "r9", "r10", "r11", "lr", "cc", "memory");
}

/* What does not change from tiles to tiles: zeros and ways in front of the numbers. Returns what lies behind them. */
static inline int32_t *ec_tiles_begin(const struct ec_conv_2d_tiles *layer, int32_t *numbers)
{
    const int32_t steps = layer->depth / 8;
    int32_t i;

    for (i = 0; i <= 16; i++) {
        memset(numbers, 0, 16);
        numbers[4] = i < 16 ? -EC_TILES_EIGHT_BYTES * steps - EC_TILES_PC : 0;
        numbers += 5 + (i < 16 ? 2 * layer->depth : 0);
    }
    return numbers;
}

/* numbers: [4: i = 3 to 0][4: j = 3, 0, 2, 1] of four zeros, a way and [depth / 2][EC_TILES]; behind them zeros and a
 * way, 32 words, and columns: [depth / 2][4][EC_TILES_COLUMNS]. */
static EC_OUT_OF_LINE void ec_tiles_numbers(
    const struct ec_conv_2d_tiles *layer, int32_t *numbers, int32_t *columns, const int8_t *const *rows, int32_t first)
{
    const int32_t depth = layer->depth, next = 2 * depth + 5;
    const int32_t twice = 2 * layer->in_zero_point;
    const int32_t sum = (int32_t)((uint32_t)twice << 16 | ((uint32_t)twice & 0xFFFFu));
    int32_t x, i;

    for (x = 0; x < EC_TILES_COLUMNS; x++) {
        const int32_t pixel = first + x - layer->before;
        if (pixel >= 0 && pixel < layer->in_width) {
            ec_tiles_column(columns + x, rows, pixel * depth, depth);
        } else {
            for (i = 0; i < 2 * depth; i++) {
                columns[i * EC_TILES_COLUMNS + x] = (i & 3) == 1 ? sum : 0;
            }
        }
    }
    numbers += 5;
    for (i = 3; i >= 0; i--, numbers += 4 * next) {
        ec_tiles_across(numbers, columns + i * EC_TILES_COLUMNS, next, depth);
    }
}

/* out: [out_width][out_channels]; in: 4 rows of in_width pixels; second: the row of an odd y, made with the one before
 * it; scratch: numbers and columns, see ec_tiles_numbers, and a row of padding. */
static EC_INLINE void ec_conv_2d_tiles(
    const struct ec_conv_2d_tiles *layer, int8_t *out, const int8_t *const *in, int32_t y, int32_t *second,
    void *scratch, void (*all_channels)(const struct ec_tiles *))
{
    const int32_t channels = layer->out_channels, size = layer->out_width * channels;
    int32_t *const numbers = (int32_t *)scratch;
    int32_t *const columns = ec_tiles_begin(layer, numbers) + 32;
    int8_t *const padding = (int8_t *)(columns + 2 * EC_TILES_COLUMNS * layer->depth);
    const int8_t *rows[4];
    struct ec_tiles tiles;
    int32_t x;

    if (y & 1) {
        memcpy(out, second, (size_t)size);
        return;
    }
    memset(padding, (int)layer->in_zero_point, (size_t)(layer->in_width * layer->depth));
    for (x = 0; x < 4; x++) {
        rows[x] = in[x] != NULL ? in[x] : padding;
    }
    tiles.two = 2 * channels;
    tiles.six = 6 * channels;
    tiles.row = (int32_t)((uintptr_t)second - (uintptr_t)out);
    tiles.numbers = numbers;
    tiles.weights = layer->weights;
    for (x = 0; x < layer->out_width; x += 2 * EC_TILES) {
        const int32_t last = layer->out_width - 2 * EC_TILES, first = x < last ? x : last; /* some are made twice */
        ec_tiles_numbers(layer, numbers, columns, rows, first);
        tiles.out = out + first * channels;
        tiles.out_end = tiles.out + channels;
        all_channels(&tiles);
    }
    ec_clamp_all(out, size, layer->low, layer->high);
    ec_clamp_all((int8_t *)second, size, layer->low, layer->high);
}

static inline void ec_conv_2d_tiles_rectified(
    const struct ec_conv_2d_tiles *layer, int8_t *out, const int8_t *const *in, int32_t y, int32_t *second,
    void *scratch)
{
    ec_conv_2d_tiles(layer, out, in, y, second, scratch, ec_tiles_rectified);
}

static inline void ec_conv_2d_tiles_signed(
    const struct ec_conv_2d_tiles *layer, int8_t *out, const int8_t *const *in, int32_t y, int32_t *second,
    void *scratch)
{
    ec_conv_2d_tiles(layer, out, in, y, second, scratch, ec_tiles_signed);
}

#endif
