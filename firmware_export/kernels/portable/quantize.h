/* QUANTIZE, float32 to int8: round(value / scale) + zero point, half away from zero. NaN becomes the zero point. */
#ifndef EDGECNN_QUANTIZE_H
#define EDGECNN_QUANTIZE_H

#include "fixed_point.h"

#define EC_QUANTIZE_FAR 512.0f /* steps: beyond, every zero point leads to -128 or 127 */

struct ec_quantize {
    int32_t count; /* of a row */
    int32_t zero_point;
    float scale;
};

/* out: [count]; in: [count]. */
static inline void ec_quantize(const struct ec_quantize *layer, int8_t *out, const float *in)
{
    const struct ec_quantize p = *layer; /* a copy: what is written to out cannot change it */
    int32_t i;

    for (i = 0; i < p.count; i++) {
        const float steps = in[i] / p.scale;
        int32_t rounded = 0;
        if (steps >= EC_QUANTIZE_FAR) {
            rounded = (int32_t)EC_QUANTIZE_FAR;
        } else if (steps > -EC_QUANTIZE_FAR) {
            rounded = (int32_t)steps;
            if (steps - (float)rounded >= 0.5f) { /* the difference is exact */
                rounded++;
            } else if (steps - (float)rounded <= -0.5f) {
                rounded--;
            }
        } else if (steps <= -EC_QUANTIZE_FAR) { /* not so for NaN */
            rounded = -(int32_t)EC_QUANTIZE_FAR;
        }
        out[i] = (int8_t)ec_clamp(rounded + p.zero_point, -128, 127);
    }
}

#endif
