/* CONCATENATION and PACK: one output row from a row of each input, or of those that have one for it. Elements of any type. */
#ifndef EDGECNN_CONCATENATION_H
#define EDGECNN_CONCATENATION_H

#include "fixed_point.h"

struct ec_concatenation {
    const int32_t *bytes; /* [inputs] that an input gives when it is its turn */
    int32_t inputs;
    int32_t turns;        /* of each input in a row */
};

/* The part of one input; returns where the turn of the next one begins, out: [turns][sum of bytes]. */
static inline int8_t *ec_concatenation_input(int8_t *out, const void *in, int32_t bytes, int32_t turns, int32_t step)
{
    const int8_t *from = (const int8_t *)in;
    int32_t i, to = 0;

    for (i = 0; i < turns; i++, to += step) {
        memcpy(out + to, from + i * bytes, (size_t)bytes);
    }
    return out + bytes;
}

/* Bytes of one turn of all inputs. */
static inline int32_t ec_concatenation_step(const struct ec_concatenation *layer)
{
    int32_t i, sum = 0;

    for (i = 0; i < layer->inputs; i++) {
        sum += layer->bytes[i];
    }
    return sum;
}

/* out: [turns][sum of bytes]; in: a row of [turns][bytes] of each input, NULL for one that gives nothing to this row. */
static inline void ec_concatenation(const struct ec_concatenation *layer, int8_t *out, const int8_t *const *in)
{
    const int32_t step = ec_concatenation_step(layer);
    int32_t i;

    for (i = 0; i < layer->inputs; i++) {
        if (in[i] != NULL) {
            out = ec_concatenation_input(out, in[i], layer->bytes[i], layer->turns, step);
        }
    }
}

static inline void ec_concatenation_int32(const struct ec_concatenation *layer, int32_t *out, const int32_t *const *in)
{
    const int32_t step = ec_concatenation_step(layer);
    int8_t *to = (int8_t *)(void *)out;
    int32_t i;

    for (i = 0; i < layer->inputs; i++) {
        if (in[i] != NULL) {
            to = ec_concatenation_input(to, in[i], layer->bytes[i], layer->turns, step);
        }
    }
}

static inline void ec_concatenation_float(const struct ec_concatenation *layer, float *out, const float *const *in)
{
    const int32_t step = ec_concatenation_step(layer);
    int8_t *to = (int8_t *)(void *)out;
    int32_t i;

    for (i = 0; i < layer->inputs; i++) {
        if (in[i] != NULL) {
            to = ec_concatenation_input(to, in[i], layer->bytes[i], layer->turns, step);
        }
    }
}

#endif
