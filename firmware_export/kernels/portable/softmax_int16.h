/* SOFTMAX, int16 to int16 with the scale 1/32768: exp(in - largest) / sum, exponential and reciprocal from tables with
 * straight lines between the entries. */
#ifndef EDGECNN_SOFTMAX_INT16_H
#define EDGECNN_SOFTMAX_INT16_H

#include "fixed_point.h"

struct ec_softmax_int16 {
    int32_t count, depth;      /* of a row, of one softmax */
    int32_t multiplier, shift; /* from a difference to steps of 10 / 65535 */
    const int16_t *exp;        /* [513]: exp over [-10, 0], 1.0 is 2^15 */
    const int16_t *inverse;    /* [513]: 1 / (1 + x) over [0, 1] */
};

/* A table at a value of -2^15 to 2^15 - 1, what is beyond cut off. */
static inline int32_t ec_softmax_int16_look_up(const int16_t *table, int32_t value)
{
    const int32_t inside = ec_clamp(value, INT16_MIN, INT16_MAX);
    const int16_t *const entry = table + 256 + (inside >> 7);

    return entry[0] + (((entry[1] - entry[0]) * (inside & 127) + 64) >> 7);
}

/* out: [count / depth][depth]; in: the same, they may be the same memory. */
static inline void ec_softmax_int16(const struct ec_softmax_int16 *layer, int16_t *out, const int16_t *in)
{
    const struct ec_softmax_int16 p = *layer; /* a copy: what is written to out cannot change it */
    const int16_t *const end = in + p.count;
    int32_t i;

    for (; in < end; in += p.depth, out += p.depth) {
        int32_t largest = in[0], down = 30, inverse;
        uint32_t sum = 0;

        for (i = 1; i < p.depth; i++) {
            largest = in[i] > largest ? in[i] : largest;
        }
        for (i = 0; i < p.depth; i++) {
            const int32_t steps = ec_multiply(in[i] - largest, p.multiplier, p.shift);
            const int32_t power = ec_softmax_int16_look_up(p.exp, steps + INT16_MAX);
            out[i] = (int16_t)power;
            sum += (uint32_t)power;
        }
        for (; sum >> 30 == 0; sum <<= 1) {
            down--;
        }
        inverse = ec_softmax_int16_look_up(p.inverse, (int32_t)((sum + (1u << 13)) >> 14) - 3 * 32768);
        for (i = 0; i < p.depth; i++) {
            const int32_t value = (out[i] * inverse + (INT32_C(1) << (down - 1))) >> down;
            out[i] = (int16_t)ec_clamp(value, 0, INT16_MAX);
        }
    }
}

#endif
