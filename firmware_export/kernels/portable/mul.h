/* MUL, int8, with broadcasting. */
#ifndef EDGECNN_MUL_H
#define EDGECNN_MUL_H

#include "factor.h"

struct ec_mul {
    int32_t outer, middle, inner; /* a row of the output is [outer][middle][inner] */
    int32_t first_outer, first_middle, first_inner; /* elements from one position to the next, 0 where all share one */
    int32_t second_outer, second_middle, second_inner;
    int32_t first_offset, second_offset;   /* minus the zero points */
    int32_t multiplier, shift, out_offset; /* of the product */
    int32_t low, high;                     /* of the fused activation */
};

/* out: [outer][middle][inner]; an operand that is not repeated may be the same memory. */
static inline void ec_mul(const struct ec_mul *layer, int8_t *out, const int8_t *first, const int8_t *second)
{
    const struct ec_mul p = *layer; /* a copy: what is written to out cannot change it */
    const struct ec_factor factor = ec_factor(p.multiplier, p.shift);
    int32_t o, m, i;

    for (o = 0; o < p.outer; o++, first += p.first_outer, second += p.second_outer) {
        const int8_t *f_line = first, *s_line = second;
        for (m = 0; m < p.middle; m++, f_line += p.first_middle, s_line += p.second_middle) {
            const int8_t *f = f_line, *s = s_line;
            for (i = 0; i < p.inner; i++, f += p.first_inner, s += p.second_inner) {
                const int32_t product = (*f + p.first_offset) * (*s + p.second_offset);
                *out++ = (int8_t)ec_clamp(ec_times(product, factor) + p.out_offset, p.low, p.high);
            }
        }
    }
}

#endif
