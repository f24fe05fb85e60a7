/* Bytes between two bounds: RELU6, RELU with one scale, MAXIMUM and MINIMUM with one constant. */
#ifndef EDGECNN_CLIP_H
#define EDGECNN_CLIP_H

#include "fixed_point.h"

struct ec_clip {
    int32_t count; /* of a row */
    int32_t low, high;
};

/* out: [count]; in: [count]; they may be the same memory. */
static inline void ec_clip(const struct ec_clip *layer, int8_t *out, const int8_t *in)
{
    const int32_t low = layer->low, high = layer->high;
    const int8_t *const end = in + layer->count;

    while (in < end) {
        *out++ = (int8_t)ec_clamp(*in++, low, high);
    }
}

#endif
