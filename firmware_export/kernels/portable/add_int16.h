/* ADD and SUB, int16, with broadcasting. The wide operand has the larger scale: it is brought to the sum's scale by plus or
 * minus 2^14, exactly; the narrow one is rescaled. */
#ifndef EDGECNN_ADD_INT16_H
#define EDGECNN_ADD_INT16_H

#include "factor.h"

#define EC_ADD_INT16_LEFT_SHIFT 15 /* bits that an operand gains before it is rescaled */

struct ec_add_int16 {
    int32_t outer, middle, inner; /* a row of the output is [outer][middle][inner] */
    int32_t wide_outer, wide_middle, wide_inner; /* elements from one position to the next, 0 where all share one */
    int32_t narrow_outer, narrow_middle, narrow_inner;
    int32_t wide_factor; /* +-2^14 */
    int32_t narrow_multiplier, narrow_shift, narrow_sign;
    int32_t multiplier, shift; /* of the sum */
    int32_t low, high;         /* of the fused activation */
};

/* out: [outer][middle][inner]; an operand that is not repeated may be the same memory. */
static inline void ec_add_int16(
    const struct ec_add_int16 *layer, int16_t *out, const int16_t *wide, const int16_t *narrow)
{
    const struct ec_add_int16 p = *layer; /* a copy: what is written to out cannot change it */
    struct ec_factor rescaling = ec_factor(p.narrow_multiplier, p.narrow_shift);
    struct ec_factor factor = ec_factor(p.multiplier, p.shift);
    int32_t o, m, i;

    rescaling.left = factor.left = 0; /* both are below 1: one instruction less each time */
    for (o = 0; o < p.outer; o++, wide += p.wide_outer, narrow += p.narrow_outer) {
        const int16_t *w_line = wide, *n_line = narrow;
        for (m = 0; m < p.middle; m++, w_line += p.wide_middle, n_line += p.narrow_middle) {
            const int16_t *w = w_line, *n = n_line;
            for (i = 0; i < p.inner; i++, w += p.wide_inner, n += p.narrow_inner) {
                const int32_t scaled = ec_times(*n * (INT32_C(1) << EC_ADD_INT16_LEFT_SHIFT), rescaling);
                const int32_t sum = *w * p.wide_factor + scaled * p.narrow_sign;
                *out++ = (int16_t)ec_clamp(ec_times(sum, factor), p.low, p.high);
            }
        }
    }
}

#endif
