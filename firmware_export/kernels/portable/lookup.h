/* A function of one byte as a table: activations, requantization, and operators with one constant. */
#ifndef EDGECNN_LOOKUP_H
#define EDGECNN_LOOKUP_H

#include "fixed_point.h"

struct ec_lookup {
    int32_t count;       /* of a row */
    const int8_t *table; /* [256], lowest value first; uint8 results as the int8 of the same bits */
};

/* out: [count]; in: [count]; they may be the same memory. */
static inline void ec_lookup(const struct ec_lookup *layer, int8_t *out, const int8_t *in)
{
    const int8_t *const table = layer->table + 128;
    const int8_t *const end = in + layer->count;

    while (in < end) {
        *out++ = table[*in++];
    }
}

static inline void ec_lookup_of_uint8(const struct ec_lookup *layer, int8_t *out, const uint8_t *in)
{
    const int8_t *const table = layer->table;
    const uint8_t *const end = in + layer->count;

    while (in < end) {
        *out++ = table[*in++];
    }
}

static inline void ec_lookup_to_uint8(const struct ec_lookup *layer, uint8_t *out, const int8_t *in)
{
    const int8_t *const table = layer->table + 128;
    const int8_t *const end = in + layer->count;

    while (in < end) {
        *out++ = (uint8_t)table[*in++];
    }
}

#endif
