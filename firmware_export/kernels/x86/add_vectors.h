/* ADD and SUB, int8, of two tensors of one shape, in 32 bits: with factors of which the compiler has seen that all sums
 * round to TFLite's numbers. */
#ifndef EDGECNN_ADD_VECTORS_H
#define EDGECNN_ADD_VECTORS_H

#include "lanes.h"

#define EC_ADD_VECTORS_SHIFT 22 /* bits of a sum behind the point */

struct ec_add_vectors {
    int32_t count; /* of a row */
    int32_t first_factor, second_factor, offset;
    int32_t low, high; /* of the fused activation */
};

/* out[i] = (first[i] * first_factor + second[i] * second_factor + offset) / 2^22; the same memory is allowed. */
static inline void ec_add_vectors(
    const struct ec_add_vectors *layer, int8_t *out, const int8_t *first, const int8_t *second)
{
    const ec_lanes a = ec_same_lanes(layer->first_factor), b = ec_same_lanes(layer->second_factor);
    const ec_lanes offset = ec_same_lanes(layer->offset);
    const int32_t low = layer->low, high = layer->high;
    int32_t left;

    for (left = layer->count; left > 0; left -= 16, out += 16, first += 16, second += 16) {
        const ec_lanes x = ec_multiply_lanes(ec_widen(ec_load_bytes(first, left)), a);
        const ec_lanes y = ec_multiply_lanes(ec_widen(ec_load_bytes(second, left)), b);
        const ec_bytes sum = ec_shift_and_narrow(ec_add_lanes(ec_add_lanes(x, y), offset), EC_ADD_VECTORS_SHIFT);
        ec_store_bytes(out, ec_clamp_bytes(sum, low, high), left);
    }
}

#endif
