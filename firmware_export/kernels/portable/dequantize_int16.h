/* DEQUANTIZE, int16 to float32: value * scale. */
#ifndef EDGECNN_DEQUANTIZE_INT16_H
#define EDGECNN_DEQUANTIZE_INT16_H

#include "fixed_point.h"

struct ec_dequantize_int16 {
    int32_t count; /* of a row */
    float scale;
};

/* out: [count]; in: [count]. */
static inline void ec_dequantize_int16(const struct ec_dequantize_int16 *layer, float *out, const int16_t *in)
{
    const int32_t count = layer->count;
    const float scale = layer->scale;
    int32_t i;

    for (i = 0; i < count; i++) {
        out[i] = (float)in[i] * scale;
    }
}

#endif
