/* CONV_2D, int8, per channel, for the DSP extension: blocks of five or four pixels, weights of 16 bits. NULL stands for
 * a row of padding. */
#ifndef EDGECNN_CONV_2D_BLOCKS_H
#define EDGECNN_CONV_2D_BLOCKS_H

#include "blocks.h"

struct ec_conv_2d_blocks {
    const int32_t *weights; /* [out_channels][bias, run / 2 words of weights, multiplier, carry, shift if signed] */
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

/* Two words of weights in blocks of five: 13 instructions for 20 products; four in blocks of four: 21 for 32. */
#define EC_BLOCK_5_BEGIN "ldmia lr!, {r4-r6}\n\t" EC_BLOCK_5("r5", "r4", "r4", "r4", "r4", "r4") EC_BLOCK_5_WORD("r6")
#define EC_BLOCK_5_STEP "ldmia lr!, {r5, r6}\n\t" EC_BLOCK_5_WORD("r5") EC_BLOCK_5_WORD("r6")
#define EC_BLOCK_5_BYTES 52
#define EC_BLOCK_4_BEGIN                                                                                              \
    "ldmia lr!, {r3-r7}\n\t" EC_BLOCK_4("r4", "r3", "r3", "r3", "r3")                                                 \
    EC_BLOCK_4_WORD("r5") EC_BLOCK_4_WORD("r6") EC_BLOCK_4_WORD("r7")
#define EC_BLOCK_4_STEP                                                                                               \
    "ldmia lr!, {r4-r7}\n\t"                                                                                          \
    EC_BLOCK_4_WORD("r4") EC_BLOCK_4_WORD("r5") EC_BLOCK_4_WORD("r6") EC_BLOCK_4_WORD("r7")
#define EC_BLOCK_4_BYTES 84

/* The activation cuts off all that is below the zero point: so it does not matter how negative sums are rounded.
 * Weights and bias are larger by what brings the sums of all channels to the same shift. r5: multiplier, r6: what is
 * added to round. Two instructions a sum. */
#define EC_BLOCK_RECTIFIED_TABLE "ldmia lr!, {r5, r6}\n\t"
#define EC_BLOCK_RECTIFIED(sum)                                                                                       \
    "smmla " sum ", " sum ", r5, r6\n\t"                                                                              \
    "ssat " sum ", #8, " sum ", asr #10\n\t"

/* Any sums, doubled by their weights; see ec_round_twice. r7: the shift. Four instructions a sum. */
#define EC_BLOCK_SIGNED_TABLE "ldmia lr!, {r5-r7}\n\t"
#define EC_BLOCK_SIGNED(sum)                                                                                          \
    "add r8, r6, " sum ", asr #31\n\t"                                                                                \
    "smmlar " sum ", " sum ", r5, r8\n\t"                                                                             \
    "asr " sum ", " sum ", r7\n\t"                                                                                    \
    "ssat " sum ", #8, " sum "\n\t"

#define EC_BLOCK_FIVE(table, ROUND)                                                                                   \
    EC_BLOCK_LOOP(EC_BLOCK_5_BEGIN, EC_BLOCK_FOUR_TIMES(EC_BLOCK_5_STEP EC_BLOCK_5_STEP), table,                      \
                  EC_BLOCK_ROUND_5(ROUND), EC_BLOCK_STORE_5)
#define EC_BLOCK_FOUR(table, ROUND)                                                                                   \
    EC_BLOCK_LOOP(EC_BLOCK_4_BEGIN, EC_BLOCK_FOUR_TIMES(EC_BLOCK_4_STEP), table,                                      \
                  EC_BLOCK_ROUND_4(ROUND), EC_BLOCK_STORE_4)

EC_BLOCK_KERNEL(ec_block_of_five_rectified, EC_BLOCK_FIVE(EC_BLOCK_RECTIFIED_TABLE, EC_BLOCK_RECTIFIED))
EC_BLOCK_KERNEL(ec_block_of_five_signed, EC_BLOCK_FIVE(EC_BLOCK_SIGNED_TABLE, EC_BLOCK_SIGNED))
EC_BLOCK_KERNEL(ec_block_of_four_rectified, EC_BLOCK_FOUR(EC_BLOCK_RECTIFIED_TABLE, EC_BLOCK_RECTIFIED))
EC_BLOCK_KERNEL(ec_block_of_four_signed, EC_BLOCK_FOUR(EC_BLOCK_SIGNED_TABLE, EC_BLOCK_SIGNED))

EC_CONV_2D_BLOCKS(
    conv_2d_blocks, of_five_rectified, 5, 2, 8, EC_BLOCK_5_BYTES, ec_interleave_five, ec_block_of_five_rectified)
EC_CONV_2D_BLOCKS(
    conv_2d_blocks, of_five_signed, 5, 2, 8, EC_BLOCK_5_BYTES, ec_interleave_five, ec_block_of_five_signed)
EC_CONV_2D_BLOCKS(
    conv_2d_blocks, of_four_rectified, 4, 4, 4, EC_BLOCK_4_BYTES, ec_interleave_four, ec_block_of_four_rectified)
EC_CONV_2D_BLOCKS(
    conv_2d_blocks, of_four_signed, 4, 4, 4, EC_BLOCK_4_BYTES, ec_interleave_four, ec_block_of_four_signed)

#endif
