/* Fixed-point arithmetic, bit for bit as TFLite Micro's (gemmlowp's double rounding).
 * A real factor is multiplier * 2^(shift - 31). Right shifts of negative numbers are arithmetic, as every compiler for the
 * supported cores does it (C99 6.5.7 leaves it to the implementation; gcc and clang document it). */
#ifndef EDGECNN_FIXED_POINT_H
#define EDGECNN_FIXED_POINT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* round(a * b / 2^31), half up; a and b are not both -2^31. */
static inline int32_t ec_doubling_high_mul(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + (INT32_C(1) << 30)) >> 31);
}

/* value / 2^exponent, half away from zero; 0 <= exponent <= 31. */
static inline int32_t ec_rounding_shift_right(int32_t value, int32_t exponent)
{
    const int32_t mask = (int32_t)((UINT32_C(1) << exponent) - 1u);
    const int32_t threshold = (mask >> 1) + (value < 0);
    return (value >> exponent) + ((value & mask) > threshold);
}

/* value * multiplier * 2^(shift - 31); -31 <= shift <= 30. */
static inline int32_t ec_multiply(int32_t value, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    return ec_rounding_shift_right(ec_doubling_high_mul((int32_t)((uint32_t)value << left), multiplier), right);
}

static inline int32_t ec_clamp(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}

#endif
