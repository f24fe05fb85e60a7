/* MUL, int16, with broadcasting. */
#ifndef EDGECNN_MUL_INT16_H
#define EDGECNN_MUL_INT16_H

#include "fixed_point.h"

struct ec_mul_int16 {
    int32_t outer, middle, inner; /* a row of the output is [outer][middle][inner] */
    int32_t first_outer, first_middle, first_inner; /* elements from one position to the next, 0 where all share one */
    int32_t second_outer, second_middle, second_inner;
    int32_t multiplier, shift; /* of the product */
    int32_t low, high;         /* of the fused activation */
};

/* out: [outer][middle][inner]; an operand that is not repeated may be the same memory. */
static inline void ec_mul_int16(
    const struct ec_mul_int16 *layer, int16_t *out, const int16_t *first, const int16_t *second)
{
    const struct ec_mul_int16 p = *layer; /* a copy: what is written to out cannot change it */
    int32_t o, m, i;

    for (o = 0; o < p.outer; o++, first += p.first_outer, second += p.second_outer) {
        const int16_t *f_line = first, *s_line = second;
        for (m = 0; m < p.middle; m++, f_line += p.first_middle, s_line += p.second_middle) {
            const int16_t *f = f_line, *s = s_line;
            for (i = 0; i < p.inner; i++, f += p.first_inner, s += p.second_inner) {
                *out++ = (int16_t)ec_clamp(ec_multiply(*f * *s, p.multiplier, p.shift), p.low, p.high);
            }
        }
    }
}

#endif
