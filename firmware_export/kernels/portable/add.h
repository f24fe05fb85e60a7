/* ADD and SUB, int8, with broadcasting. The wide operand has the larger scale: it is brought to the sum's scale by plus or
 * minus 2^19, exactly; the narrow one is rescaled. */
#ifndef EDGECNN_ADD_H
#define EDGECNN_ADD_H

#include "factor.h"

#define EC_ADD_LEFT_SHIFT 20 /* bits that an operand gains before it is rescaled */

struct ec_add {
    int32_t outer, middle, inner; /* a row of the output is [outer][middle][inner] */
    int32_t wide_outer, wide_middle, wide_inner; /* elements from one position to the next, 0 where all share one */
    int32_t narrow_outer, narrow_middle, narrow_inner;
    int32_t wide_offset, wide_factor; /* minus the zero point; +-2^19 */
    int32_t narrow_offset, narrow_multiplier, narrow_shift, narrow_sign;
    int32_t multiplier, shift, out_offset; /* of the sum */
    int32_t low, high;                     /* of the fused activation */
};

/* out: [outer][middle][inner]; an operand that is not repeated may be the same memory. */
static inline void ec_add(const struct ec_add *layer, int8_t *out, const int8_t *wide, const int8_t *narrow)
{
    const struct ec_add p = *layer; /* a copy: what is written to out cannot change it */
    struct ec_factor rescaling = ec_factor(p.narrow_multiplier, p.narrow_shift);
    struct ec_factor factor = ec_factor(p.multiplier, p.shift);
    int32_t o, m, i;

    rescaling.left = factor.left = 0; /* both are below 1: one instruction less each time */
    for (o = 0; o < p.outer; o++, wide += p.wide_outer, narrow += p.narrow_outer) {
        const int8_t *w_line = wide, *n_line = narrow;
        for (m = 0; m < p.middle; m++, w_line += p.wide_middle, n_line += p.narrow_middle) {
            const int8_t *w = w_line, *n = n_line;
            for (i = 0; i < p.inner; i++, w += p.wide_inner, n += p.narrow_inner) {
                const int32_t scaled = ec_times((*n + p.narrow_offset) * (INT32_C(1) << EC_ADD_LEFT_SHIFT), rescaling);
                const int32_t sum = (*w + p.wide_offset) * p.wide_factor + scaled * p.narrow_sign;
                *out++ = (int8_t)ec_clamp(ec_times(sum, factor) + p.out_offset, p.low, p.high);
            }
        }
    }
}

#endif
