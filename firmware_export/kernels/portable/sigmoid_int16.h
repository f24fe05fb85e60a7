/* LOGISTIC and TANH, int16: a table, and straight lines between its entries. */
#ifndef EDGECNN_SIGMOID_INT16_H
#define EDGECNN_SIGMOID_INT16_H

#include "fixed_point.h"

#define EC_SIGMOID_ENTRIES 256

struct ec_sigmoid_int16 {
    int32_t count;             /* of a row */
    int32_t multiplier, shift; /* to the steps of the table: multiplied, then shifted to the right and rounded */
    int32_t bits;              /* 2^bits steps lie between two entries */
    int32_t flat;              /* the value beyond the last entry */
    int32_t down, offset;      /* bits that are rounded away in the end, what is added then */
    const int16_t *table;      /* [256]: logistic(i / 24) - 1/2 in steps of 2^-16 */
};

/* out: [count]; in: [count]; they may be the same memory. */
static inline void ec_sigmoid_int16(const struct ec_sigmoid_int16 *layer, int16_t *out, const int16_t *in)
{
    const struct ec_sigmoid_int16 p = *layer; /* a copy: what is written to out cannot change it */
    const int32_t nudge = p.shift > 0 ? (int32_t)(UINT32_C(1) << (p.shift - 1)) : 0;
    const int32_t half = INT32_C(1) << (p.down - 1);
    int32_t i;

    for (i = 0; i < p.count; i++) {
        const int32_t steps = (in[i] * p.multiplier + nudge) >> p.shift;
        const int32_t distance = steps < 0 ? -steps : steps;
        const int32_t at = distance >> p.bits;
        int32_t value = p.flat * (INT32_C(1) << p.bits);

        if (at < EC_SIGMOID_ENTRIES - 1) {
            const int32_t within = distance & ((INT32_C(1) << p.bits) - 1);
            value = p.table[at] * (INT32_C(1) << p.bits) + within * (p.table[at + 1] - p.table[at]);
        }
        value = steps < 0 ? half - 1 - value : half + value;
        out[i] = (int16_t)(p.offset + (value >> p.down));
    }
}

#endif
