/* Products of a run of int16 numbers with the int8 weights of several output channels, which lie interleaved: the inner
 * loops of CONV_2D and FULLY_CONNECTED on int16. */
#ifndef EDGECNN_DOT_INT16_H
#define EDGECNN_DOT_INT16_H

#include "fixed_point.h"
#include "out_of_line.h"

#define EC_BLOCK_INT16 8 /* output channels at once; what is left over is done by 4 and by 1 */
#define EC_CHUNK 511     /* products of -128 and -32768 that fit into int32 together */

/* How many of the `left` channels that remain come next. */
static inline int32_t ec_block_int16(int32_t left)
{
    return left >= EC_BLOCK_INT16 ? EC_BLOCK_INT16 : left >= 4 ? 4 : 1;
}

/* sums[j] += in[i] * weights[i][j] for all i < count and j < 8; count >= 1. */
static EC_OUT_OF_LINE void ec_dot_int16_8(int32_t *sums, const int16_t *in, const int8_t *weights, int32_t count)
{
    const int16_t *const end = in + count;
    int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    int32_t sum4 = sums[4], sum5 = sums[5], sum6 = sums[6], sum7 = sums[7];

    do {
        const int32_t value = *in++;
        sum0 += value * weights[0];
        sum1 += value * weights[1];
        sum2 += value * weights[2];
        sum3 += value * weights[3];
        sum4 += value * weights[4];
        sum5 += value * weights[5];
        sum6 += value * weights[6];
        sum7 += value * weights[7];
        weights += 8;
    } while (in != end);
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
    sums[4] = sum4;
    sums[5] = sum5;
    sums[6] = sum6;
    sums[7] = sum7;
}

/* The same for j < 4. */
static EC_OUT_OF_LINE void ec_dot_int16_4(int32_t *sums, const int16_t *in, const int8_t *weights, int32_t count)
{
    const int16_t *const end = in + count;
    int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];

    do {
        const int32_t value = *in++;
        sum0 += value * weights[0];
        sum1 += value * weights[1];
        sum2 += value * weights[2];
        sum3 += value * weights[3];
        weights += 4;
    } while (in != end);
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

/* sums[j] += in[i] * weights[i][j] for all i < count and j < block; count >= 1. */
static inline void ec_dot_int16(int32_t block, int32_t *sums, const int16_t *in, const int8_t *weights, int32_t count)
{
    if (block == EC_BLOCK_INT16) {
        ec_dot_int16_8(sums, in, weights, count);
    } else if (block == 4) {
        ec_dot_int16_4(sums, in, weights, count);
    } else {
        const int16_t *const end = in + count;
        int32_t sum = *sums;
        do {
            sum += *in++ * *weights++;
        } while (in != end);
        *sums = sum;
    }
}

/* For the sums of a block. Compilers turn a loop into a call of memset, which costs more than the eight stores. */
static inline void ec_clear_block_int16(int32_t *sums)
{
    sums[0] = 0;
    sums[1] = 0;
    sums[2] = 0;
    sums[3] = 0;
    sums[4] = 0;
    sums[5] = 0;
    sums[6] = 0;
    sums[7] = 0;
}

/* The same as ec_dot_int16 with sums that may leave int32. */
static EC_OUT_OF_LINE void ec_dot_int16_wide(
    int32_t block, int64_t *sums, const int16_t *in, const int8_t *weights, int32_t count)
{
    int32_t part[EC_BLOCK_INT16], chunk, j;

    for (; count > 0; count -= chunk, in += chunk, weights += block * chunk) {
        chunk = count < EC_CHUNK ? count : EC_CHUNK;
        ec_clear_block_int16(part);
        ec_dot_int16(block, part, in, weights, chunk);
        for (j = 0; j < block; j++) {
            sums[j] += part[j];
        }
    }
}

#endif
