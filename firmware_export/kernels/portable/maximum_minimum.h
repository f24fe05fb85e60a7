/* MAXIMUM and MINIMUM, int8, with broadcasting: bytes are compared as they are. */
#ifndef EDGECNN_MAXIMUM_MINIMUM_H
#define EDGECNN_MAXIMUM_MINIMUM_H

#include "fixed_point.h"

struct ec_maximum_minimum {
    int32_t outer, middle, inner; /* a row of the output is [outer][middle][inner] */
    int32_t first_outer, first_middle, first_inner; /* elements from one position to the next, 0 where all share one */
    int32_t second_outer, second_middle, second_inner;
};

/* out: [outer][middle][inner]; an operand that is not repeated may be the same memory. */
static inline void ec_maximum(
    const struct ec_maximum_minimum *layer, int8_t *out, const int8_t *first, const int8_t *second)
{
    const struct ec_maximum_minimum p = *layer; /* a copy: what is written to out cannot change it */
    int32_t o, m, i;

    for (o = 0; o < p.outer; o++, first += p.first_outer, second += p.second_outer) {
        const int8_t *f_line = first, *s_line = second;
        for (m = 0; m < p.middle; m++, f_line += p.first_middle, s_line += p.second_middle) {
            const int8_t *f = f_line, *s = s_line;
            for (i = 0; i < p.inner; i++, f += p.first_inner, s += p.second_inner) {
                *out++ = *f > *s ? *f : *s;
            }
        }
    }
}

/* out: [outer][middle][inner]; an operand that is not repeated may be the same memory. */
static inline void ec_minimum(
    const struct ec_maximum_minimum *layer, int8_t *out, const int8_t *first, const int8_t *second)
{
    const struct ec_maximum_minimum p = *layer; /* a copy: what is written to out cannot change it */
    int32_t o, m, i;

    for (o = 0; o < p.outer; o++, first += p.first_outer, second += p.second_outer) {
        const int8_t *f_line = first, *s_line = second;
        for (m = 0; m < p.middle; m++, f_line += p.first_middle, s_line += p.second_middle) {
            const int8_t *f = f_line, *s = s_line;
            for (i = 0; i < p.inner; i++, f += p.first_inner, s += p.second_inner) {
                *out++ = *f < *s ? *f : *s;
            }
        }
    }
}

#endif
