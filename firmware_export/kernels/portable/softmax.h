/* SOFTMAX, int8 to int8 with the scale 1/256: exp(in - largest) / sum, exponentials from a table. */
#ifndef EDGECNN_SOFTMAX_H
#define EDGECNN_SOFTMAX_H

#include "fixed_point.h"

#define EC_SOFTMAX_SUM_BITS 12 /* integer bits of the sum; exponentials have none */

struct ec_softmax {
    int32_t count, depth; /* of a row, of one softmax */
    int32_t entries;      /* of the table */
    const int32_t *exp;   /* [largest - value]: exp, 1.0 is 2^31 - 1; what lies behind the end is 0 */
};

/* 1 / (1 + x) for x in [0, 1), both times 2^31: three Newton-Raphson steps from 48/17 - 32/17 * d, d = (1 + x) / 2.
 * y has two integer bits. */
static inline int32_t ec_softmax_inverse(int32_t x)
{
    const int32_t one = INT32_C(1) << 29; /* with two integer bits */
    const int32_t half = (int32_t)(((uint32_t)x + (UINT32_C(1) << 31)) >> 1);
    int32_t y = 1515870810 + ec_doubling_high_mul(half, -1010580540);
    int32_t step;

    for (step = 0; step < 3; step++) {
        y += ec_doubling_high_mul(y, one - ec_doubling_high_mul(half, y)) * 4;
    }
    return y >= INT32_C(1) << 30 ? INT32_MAX : y * 2;
}

/* out: [count / depth][depth]; in: the same, they may be the same memory. */
static inline void ec_softmax(const struct ec_softmax *layer, int8_t *out, const int8_t *in)
{
    const struct ec_softmax p = *layer; /* a copy: what is written to out cannot change it */
    const int8_t *const end = in + p.count;
    int32_t i;

    for (; in < end; in += p.depth, out += p.depth) {
        int32_t largest = in[0], exponent = EC_SOFTMAX_SUM_BITS + 23, inverse;
        uint32_t sum = 0;

        for (i = 1; i < p.depth; i++) {
            largest = in[i] > largest ? in[i] : largest;
        }
        for (i = 0; i < p.depth; i++) {
            const int32_t difference = largest - in[i];
            if (difference < p.entries) {
                sum += (uint32_t)ec_rounding_shift_right(p.exp[difference], EC_SOFTMAX_SUM_BITS);
            }
        }
        for (; sum >> 31 == 0; sum <<= 1) {
            exponent--;
        }
        inverse = ec_softmax_inverse((int32_t)(sum - (UINT32_C(1) << 31)));
        for (i = 0; i < p.depth; i++) {
            const int32_t difference = largest - in[i];
            int32_t value = -128;
            if (difference < p.entries && exponent < 32) { /* a larger one leaves less than a half */
                const uint32_t quotient = (uint32_t)ec_doubling_high_mul(p.exp[difference], inverse);
                value += (int32_t)((quotient + (UINT32_C(1) << (exponent - 1))) >> exponent);
            }
            out[i] = (int8_t)ec_clamp(value, -128, 127);
        }
    }
}

#endif
