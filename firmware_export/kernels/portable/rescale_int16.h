/* QUANTIZE between int16 and int16 or int8, RELU and RELU6 of int16: one factor, and bounds. */
#ifndef EDGECNN_RESCALE_INT16_H
#define EDGECNN_RESCALE_INT16_H

#include "fixed_point.h"

struct ec_rescale_int16 {
    int32_t count;     /* of a row */
    int32_t in_offset; /* minus the input's zero point */
    int32_t multiplier, shift, out_offset;
    int32_t low, high;
};

static inline int32_t ec_rescale_int16_value(const struct ec_rescale_int16 *p, int32_t value)
{
    return ec_clamp(ec_multiply(value + p->in_offset, p->multiplier, p->shift) + p->out_offset, p->low, p->high);
}

/* out: [count]; in: [count]; they may be the same memory. */
static inline void ec_rescale_int16(const struct ec_rescale_int16 *layer, int16_t *out, const int16_t *in)
{
    const struct ec_rescale_int16 p = *layer; /* a copy: what is written to out cannot change it */
    int32_t i;

    for (i = 0; i < p.count; i++) {
        out[i] = (int16_t)ec_rescale_int16_value(&p, in[i]);
    }
}

/* out: [count]; in: [count]. */
static inline void ec_rescale_int16_from_int8(const struct ec_rescale_int16 *layer, int16_t *out, const int8_t *in)
{
    const struct ec_rescale_int16 p = *layer;
    int32_t i;

    for (i = 0; i < p.count; i++) {
        out[i] = (int16_t)ec_rescale_int16_value(&p, in[i]);
    }
}

static inline void ec_rescale_int16_to_int8(const struct ec_rescale_int16 *layer, int8_t *out, const int16_t *in)
{
    const struct ec_rescale_int16 p = *layer;
    int32_t i;

    for (i = 0; i < p.count; i++) {
        out[i] = (int8_t)ec_rescale_int16_value(&p, in[i]);
    }
}

#endif
