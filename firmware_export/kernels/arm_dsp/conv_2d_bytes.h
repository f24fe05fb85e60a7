/* CONV_2D, int8, per channel, for the DSP extension: blocks of five or four pixels, weights of 8 bits, widened as they
 * are loaded. NULL stands for a row of padding. */
#ifndef EDGECNN_CONV_2D_BYTES_H
#define EDGECNN_CONV_2D_BYTES_H

#include "blocks.h"

struct ec_conv_2d_bytes {
    const int32_t *weights; /* [out_channels][bias, run / 4 words of weights, multiplier, carry, shift] */
    int32_t in_width, depth; /* of the input, in pixels, and its channels */
    int32_t kernel_h;
    int32_t before, after; /* zeros around the columns, in elements of 16 bits */
    int32_t run;           /* numbers that a filter sees, with zeros to a multiple of 4 (of 8 in blocks of four) */
    int32_t step;          /* elements from a pixel to the next */
    int32_t out_width;     /* a block or more */
    int32_t out_channels;
    int32_t in_offset; /* minus the input's zero point */
    int32_t low, high; /* of the fused activation */
};

/* One word of weights in blocks of five: 15 instructions for 20 products; two in blocks of four: 25 for 32. */
#define EC_BYTES_WIDEN(first, second) "sxtb16 " first ", " second "\n\tsxtb16 " second ", " second ", ror #8\n\t"
#define EC_BYTES_5_BEGIN                                                                                              \
    "ldmia lr!, {r4, r5}\n\t" EC_BYTES_WIDEN("r6", "r5")                                                              \
    EC_BLOCK_5("r6", "r4", "r4", "r4", "r4", "r4") EC_BLOCK_5_WORD("r5")
#define EC_BYTES_5_STEP                                                                                               \
    "ldr r5, [lr], #4\n\t" EC_BYTES_WIDEN("r6", "r5") EC_BLOCK_5_WORD("r6") EC_BLOCK_5_WORD("r5")
#define EC_BYTES_5_BYTES 60
#define EC_BYTES_4_BEGIN                                                                                              \
    "ldmia lr!, {r3, r4, r6}\n\t" EC_BYTES_WIDEN("r5", "r4") EC_BYTES_WIDEN("r7", "r6")                               \
    EC_BLOCK_4("r5", "r3", "r3", "r3", "r3")                                                                          \
    EC_BLOCK_4_WORD("r4") EC_BLOCK_4_WORD("r7") EC_BLOCK_4_WORD("r6")
#define EC_BYTES_4_STEP                                                                                               \
    "ldmia lr!, {r4, r6}\n\t" EC_BYTES_WIDEN("r5", "r4") EC_BYTES_WIDEN("r7", "r6")                                   \
    EC_BLOCK_4_WORD("r5") EC_BLOCK_4_WORD("r4") EC_BLOCK_4_WORD("r7") EC_BLOCK_4_WORD("r6")
#define EC_BYTES_4_BYTES 100

/* See ec_round_twice. r5: multiplier, r6: carry, r7: shift. */
#define EC_BYTES_TABLE "ldmia lr!, {r5-r7}\n\t"
#define EC_BYTES_ROUND(sum)                                                                                           \
    "add r8, r6, " sum ", asr #31\n\t"                                                                                \
    "add " sum ", " sum ", " sum "\n\t"                                                                               \
    "smmlar " sum ", " sum ", r5, r8\n\t"                                                                             \
    "asr " sum ", " sum ", r7\n\t"                                                                                    \
    "ssat " sum ", #8, " sum "\n\t"

EC_BLOCK_KERNEL(
    ec_bytes_of_five,
    EC_BLOCK_LOOP(EC_BYTES_5_BEGIN, EC_BLOCK_FOUR_TIMES(EC_BYTES_5_STEP EC_BYTES_5_STEP), EC_BYTES_TABLE,
                  EC_BLOCK_ROUND_5(EC_BYTES_ROUND), EC_BLOCK_STORE_5))
EC_BLOCK_KERNEL(
    ec_bytes_of_four,
    EC_BLOCK_LOOP(EC_BYTES_4_BEGIN, EC_BLOCK_FOUR_TIMES(EC_BYTES_4_STEP), EC_BYTES_TABLE,
                  EC_BLOCK_ROUND_4(EC_BYTES_ROUND), EC_BLOCK_STORE_4))

EC_CONV_2D_BLOCKS(conv_2d_bytes, of_five, 5, 2, 8, EC_BYTES_5_BYTES, ec_interleave_five, ec_bytes_of_five)
EC_CONV_2D_BLOCKS(conv_2d_bytes, of_four, 4, 4, 4, EC_BYTES_4_BYTES, ec_interleave_four, ec_bytes_of_four)

#endif
