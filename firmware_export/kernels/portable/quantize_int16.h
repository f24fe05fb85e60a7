/* QUANTIZE, float32 to int16: round(value / scale), half away from zero. NaN becomes 0. */
#ifndef EDGECNN_QUANTIZE_INT16_H
#define EDGECNN_QUANTIZE_INT16_H

#include "fixed_point.h"

struct ec_quantize_int16 {
    int32_t count; /* of a row */
    float scale;
};

/* out: [count]; in: [count]. */
static inline void ec_quantize_int16(const struct ec_quantize_int16 *layer, int16_t *out, const float *in)
{
    const struct ec_quantize_int16 p = *layer; /* a copy: what is written to out cannot change it */
    int32_t i;

    for (i = 0; i < p.count; i++) {
        const float steps = in[i] / p.scale;
        int32_t rounded = 0;
        if (steps >= (float)INT16_MAX) {
            rounded = INT16_MAX;
        } else if (steps <= (float)INT16_MIN) {
            rounded = INT16_MIN;
        } else if (steps == steps) { /* not so for NaN */
            rounded = (int32_t)steps;
            if (steps - (float)rounded >= 0.5f) { /* the difference is exact */
                rounded++;
            } else if (steps - (float)rounded <= -0.5f) {
                rounded--;
            }
        }
        out[i] = (int16_t)rounded;
    }
}

#endif
