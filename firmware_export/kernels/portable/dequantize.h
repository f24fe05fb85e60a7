/* DEQUANTIZE, int8 or uint8 to float32: (value - zero point) * scale. */
#ifndef EDGECNN_DEQUANTIZE_H
#define EDGECNN_DEQUANTIZE_H

#include "fixed_point.h"

struct ec_dequantize {
    int32_t count; /* of a row */
    int32_t zero_point;
    float scale;
};

/* out: [count]; in: [count]. */
static inline void ec_dequantize(const struct ec_dequantize *layer, float *out, const int8_t *in)
{
    const int32_t count = layer->count, zero_point = layer->zero_point;
    const float scale = layer->scale;
    int32_t i;

    for (i = 0; i < count; i++) {
        out[i] = (float)(in[i] - zero_point) * scale;
    }
}

static inline void ec_dequantize_uint8(const struct ec_dequantize *layer, float *out, const uint8_t *in)
{
    const int32_t count = layer->count, zero_point = layer->zero_point;
    const float scale = layer->scale;
    int32_t i;

    for (i = 0; i < count; i++) {
        out[i] = (float)(in[i] - zero_point) * scale;
    }
}

#endif
