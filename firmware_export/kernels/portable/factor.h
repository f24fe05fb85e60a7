/* A factor made ready for a loop over small values: the same as ec_multiply in fewer instructions. */
#ifndef EDGECNN_FACTOR_H
#define EDGECNN_FACTOR_H

#include "fixed_point.h"

struct ec_factor {
    int32_t multiplier;
    int32_t left, right; /* shifts before and after the multiplication, one of them 0 */
    int32_t half, away;  /* rounding before the right shift: half of its unit, less 1 for a negative value; 0 without */
};

static inline struct ec_factor ec_factor(int32_t multiplier, int32_t shift)
{
    struct ec_factor factor;

    factor.multiplier = multiplier;
    factor.left = shift > 0 ? shift : 0;
    factor.right = shift < 0 ? -shift : 0;
    factor.half = shift < 0 ? (int32_t)(UINT32_C(1) << (-shift - 1)) : 0;
    factor.away = shift < 0;
    return factor;
}

/* value * factor; the product is below 2^30 where the factor shifts right. */
static inline int32_t ec_times(int32_t value, struct ec_factor factor)
{
    const int32_t high = ec_doubling_high_mul((int32_t)((uint32_t)value << factor.left), factor.multiplier);
    const int32_t away = high < 0 ? factor.away : 0;
    return (high + factor.half - away) >> factor.right; /* half away from zero */
}

#endif
