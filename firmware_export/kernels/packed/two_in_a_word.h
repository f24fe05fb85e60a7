/* Two pixels in one word: what the kernels for cores with no other instructions for small numbers share.
 *
 * A word holds first + second * 2^16, two int8. Times a weight it holds both products; and the sum of two such words,
 * that of two terms, still has both sums within 16 bits: one multiplication does two. Of what is multiplied two totals
 * are kept: of the whole words, modulo 2^32, and of their upper halves. The latter is the second pixel's sum, and
 *     first sum = whole - second sum * 2^16.
 * A lower half that is negative has taken one from the upper half, which rounding gives back.
 *
 * What a filter sees of some pixels, its terms in pairs: words of four pixels are [terms / 2][two pixels][2], those of
 * two are [terms], and those of one are its numbers themselves. */
#ifndef EDGECNN_TWO_IN_A_WORD_H
#define EDGECNN_TWO_IN_A_WORD_H

#include "fixed_point.h"
#include "out_of_line.h"
#include "packed_channel.h"
#include "two_in_a_word_c.h"
#include "two_in_a_word_v6m.h"
#include "two_in_a_word_v7m.h"

static EC_INLINE int32_t ec_first_sum(int32_t whole, int32_t second_sum, int32_t terms)
{
    return (int32_t)((uint32_t)whole - ((uint32_t)second_sum << 16) - EC_ROUNDED(terms));
}

/* The sums of `count` pixels, 1, 2 or 4, for one channel; terms is even. */
static EC_INLINE void ec_sum_pixels(
    int32_t *sums, const int32_t *columns, const int8_t *weights, int32_t terms, int32_t count)
{
    if (count == 4) {
        EC_SUM_TERMS_OF_FOUR
        sums[0] = ec_first_sum(whole0, upper0, terms);
        sums[1] = upper0;
        sums[2] = ec_first_sum(whole1, upper1, terms);
        sums[3] = upper1;
    } else if (count == 2) {
        EC_SUM_TERMS_OF_TWO
        sums[0] = ec_first_sum(whole0, upper0, terms);
        sums[1] = upper0;
    } else {
        EC_SUM_TERMS_OF_ONE
        sums[0] = whole0;
    }
}

/* out[i * step] = (sums[i] + bias) * multiplier * 2^(-31 - shift) + zero point for i < count; sums are below 2^28. */
#if !defined(EC_ARMV6M)
static EC_INLINE void ec_round_sums(
    int8_t *out, int32_t step, const int32_t *sums, int32_t count, const struct ec_packed_channel *channel)
{
    const struct ec_packed_channel own = *channel; /* a copy: what is written to out cannot change it */
    const int32_t carry = own.carry_shift >> 8, shift = own.carry_shift & 0xFF;
    const int32_t *const end = sums + count;

    do {
        const int32_t twice = 2 * *sums++ + own.twice_bias;
        const uint32_t upper = (uint32_t)(carry + (twice >> 31));
        const int64_t scaled = (int64_t)twice * own.multiplier + (int64_t)((uint64_t)upper << 32 | 0x80000000u);

        *out = (int8_t)EC_SATURATE((int32_t)(scaled >> 32) >> shift);
        out += step;
    } while (sums != end);
}
#endif

/* The numbers of a pixel as words, from term `at` on. */
static inline void ec_pack_one(int32_t *columns, int32_t at, const int8_t *pixel, int32_t count)
{
    for (columns += at; count > 0; count--) {
        *columns++ = *pixel++;
    }
}

/* Puts two pixels beside each other, from term `at` on; two terms begin `step` words behind the two before. */
static EC_OUT_OF_LINE void ec_pack_two(
    int32_t *columns, int32_t step, int32_t at, const int8_t *first, const int8_t *second, int32_t count)
{
    columns += step * (at >> 1);
    if (at & 1) {
        columns[1] = *first++ + *second++ * 65536;
        columns += step;
        count--;
    }
    for (; count > 1; count -= 2, first += 2, second += 2, columns += step) {
        columns[0] = first[0] + second[0] * 65536;
        columns[1] = first[1] + second[1] * 65536;
    }
    if (count > 0) {
        columns[0] = first[0] + second[0] * 65536;
    }
}

#endif
