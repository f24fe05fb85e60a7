/* CONCATENATION and PACK of int16: one output row from a row of each input, or of those that have one for it. */
#ifndef EDGECNN_CONCATENATION_INT16_H
#define EDGECNN_CONCATENATION_INT16_H

#include "fixed_point.h"

struct ec_concatenation_int16 {
    const int32_t *bytes; /* [inputs] that an input gives when it is its turn */
    int32_t inputs;
    int32_t turns; /* of each input in a row */
};

/* out: [turns][sum of bytes]; in: a row of [turns][bytes] of each input, NULL for one that gives nothing to this row. */
static inline void ec_concatenation_int16(
    const struct ec_concatenation_int16 *layer, int16_t *out, const int16_t *const *in)
{
    int32_t i, turn;

    for (turn = 0; turn < layer->turns; turn++) {
        for (i = 0; i < layer->inputs; i++) {
            const int32_t elements = layer->bytes[i] / 2;
            if (in[i] != NULL) {
                memcpy(out, in[i] + turn * elements, (size_t)layer->bytes[i]);
                out += elements;
            }
        }
    }
}

#endif
