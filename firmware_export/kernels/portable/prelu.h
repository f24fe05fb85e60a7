/* PRELU, int8: negative values times a slope of their own; the slopes broadcast. */
#ifndef EDGECNN_PRELU_H
#define EDGECNN_PRELU_H

#include "factor.h"

struct ec_prelu {
    int32_t outer, middle, inner; /* a row of the output is [outer][middle][inner] */
    int32_t in_outer, in_middle, in_inner; /* elements from one position to the next, 0 where all share one */
    int32_t alpha_outer, alpha_middle, alpha_inner;
    int32_t in_offset, alpha_offset, out_offset; /* minus the zero points; the output's */
    int32_t in_multiplier, in_shift;             /* of values from 0 on */
    int32_t alpha_multiplier, alpha_shift;       /* of a negative value times its slope */
};

/* out: [outer][middle][inner]; an operand that is not repeated may be the same memory. */
static inline void ec_prelu(const struct ec_prelu *layer, int8_t *out, const int8_t *in, const int8_t *alpha)
{
    const struct ec_prelu p = *layer; /* a copy: what is written to out cannot change it */
    const struct ec_factor identity = ec_factor(p.in_multiplier, p.in_shift);
    const struct ec_factor slope = ec_factor(p.alpha_multiplier, p.alpha_shift);
    int32_t o, m, i;

    for (o = 0; o < p.outer; o++, in += p.in_outer, alpha += p.alpha_outer) {
        const int8_t *v_line = in, *a_line = alpha;
        for (m = 0; m < p.middle; m++, v_line += p.in_middle, a_line += p.alpha_middle) {
            const int8_t *v = v_line, *a = a_line;
            for (i = 0; i < p.inner; i++, v += p.in_inner, a += p.alpha_inner) {
                const int32_t value = *v + p.in_offset;
                const int32_t scaled = value >= 0
                    ? ec_times(value, identity)
                    : ec_times(value * (*a + p.alpha_offset), slope);
                *out++ = (int8_t)ec_clamp(scaled + p.out_offset, -128, 127);
            }
        }
    }
}

#endif
