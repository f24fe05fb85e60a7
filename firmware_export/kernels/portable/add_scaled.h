/* ADD and SUB, int8, of two tensors of one shape, as a sum of two products. That is not how TFLite computes it, but the
 * compiler found factors with which it rounds to the same number for each of the 65,536 pairs of inputs. */
#ifndef EDGECNN_ADD_SCALED_H
#define EDGECNN_ADD_SCALED_H

#include "fixed_point.h"

#define EC_ADD_SCALED_BITS 22 /* of sums and factors, behind the point */

struct ec_add_scaled {
    int32_t count; /* of a row */
    int32_t first_factor, second_factor, offset;
    int32_t low, high; /* of the fused activation */
};

/* out, first, second: [count]; out may be the memory of either. */
static inline void ec_add_scaled(
    const struct ec_add_scaled *layer, int8_t *out, const int8_t *first, const int8_t *second)
{
    const struct ec_add_scaled p = *layer; /* a copy: what is written to out cannot change it */
    const int8_t *const end = out + p.count;

    while (out != end) {
        const int32_t sum = *first++ * p.first_factor + *second++ * p.second_factor + p.offset;
        *out++ = (int8_t)ec_clamp(sum >> EC_ADD_SCALED_BITS, p.low, p.high);
    }
}

#endif
