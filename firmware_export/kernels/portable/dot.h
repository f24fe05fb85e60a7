/* Products of a run of numbers with the weights of several output channels, which lie interleaved: the inner loops of
 * CONV_2D, TRANSPOSE_CONV and FULLY_CONNECTED. */
#ifndef EDGECNN_DOT_H
#define EDGECNN_DOT_H

#include <stdint.h>

#include "out_of_line.h"

#define EC_BLOCK 8 /* output channels at once; what is left over is done by 4 and by 1 */

/* How many of the `left` channels that remain come next. */
static inline int32_t ec_block(int32_t left)
{
    return left >= EC_BLOCK ? EC_BLOCK : left >= 4 ? 4 : 1;
}

/* sums[j] += (in[i] + offset) * weights[i][j] for all i < count and j < 8; count >= 1. */
static EC_OUT_OF_LINE void ec_dot_8(
    int32_t *sums, const int8_t *in, const int8_t *weights, int32_t count, int32_t offset)
{
    const int8_t *const end = in + count;
    int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    int32_t sum4 = sums[4], sum5 = sums[5], sum6 = sums[6], sum7 = sums[7];

    do {
        const int32_t value = *in++ + offset;
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
static EC_OUT_OF_LINE void ec_dot_4(
    int32_t *sums, const int8_t *in, const int8_t *weights, int32_t count, int32_t offset)
{
    const int8_t *const end = in + count;
    int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];

    do {
        const int32_t value = *in++ + offset;
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

/* sums[j] += (in[i] + offset) * weights[i][j] for all i < count and j < block; count >= 1. */
static inline void ec_dot(
    int32_t block, int32_t *sums, const int8_t *in, const int8_t *weights, int32_t count, int32_t offset)
{
    if (block == EC_BLOCK) {
        ec_dot_8(sums, in, weights, count, offset);
    } else if (block == 4) {
        ec_dot_4(sums, in, weights, count, offset);
    } else {
        const int8_t *const end = in + count;
        int32_t sum = *sums;
        do {
            sum += (*in++ + offset) * *weights++;
        } while (in != end);
        *sums = sum;
    }
}

/* For the sums of a block. Compilers turn a loop into a call of memset, which costs more than the eight stores. */
static inline void ec_clear_block(int32_t *sums)
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

#endif
