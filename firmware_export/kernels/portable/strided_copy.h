/* PAD, SLICE, STRIDED_SLICE, SPLIT, UNPACK, TRANSPOSE and others that only move elements of any type: four nested loops, and
 * a fill value where nothing is moved to. All steps and sizes in bytes. */
#ifndef EDGECNN_STRIDED_COPY_H
#define EDGECNN_STRIDED_COPY_H

#include "fixed_point.h"

struct ec_strided_copy {
    int32_t count_0, in_step_0, out_step_0; /* the outermost loop: rounds, and from one round to the next */
    int32_t count_1, in_step_1, out_step_1;
    int32_t count_2, in_step_2, out_step_2;
    int32_t count_3, in_step_3, out_step_3;
    int32_t run;                 /* neighbours that are moved together */
    int32_t in_first, out_first; /* where the first of them lie */
    int32_t out_bytes;           /* of the output row */
    int32_t fill_bytes, fill;    /* size (0: nothing is filled, 1, or 4) and value of an element to fill with */
};

/* One pass of the innermost loop. */
static inline void ec_strided_copy_line(const struct ec_strided_copy *layer, int8_t *out, const int8_t *in)
{
    const int32_t count = layer->count_3, in_step = layer->in_step_3, out_step = layer->out_step_3, run = layer->run;
    int32_t i, from = 0, to = 0;

    if (run == 1) {
        for (i = 0; i < count; i++, from += in_step, to += out_step) {
            out[to] = in[from];
        }
    } else {
        for (i = 0; i < count; i++, from += in_step, to += out_step) {
            memcpy(out + to, in + from, (size_t)run);
        }
    }
}

/* out: a row of `out_bytes`; in: a row or more of the input, NULL where the output row is filled only. */
static inline void ec_strided_copy(const struct ec_strided_copy *layer, void *out, const void *in)
{
    int8_t *const target = (int8_t *)out;
    const int8_t *const source = (const int8_t *)in;
    int32_t a, b, c, i;

    if (layer->fill_bytes == 1) {
        memset(target, (int)layer->fill, (size_t)layer->out_bytes);
    } else if (layer->fill_bytes == 4) {
        for (i = 0; i < layer->out_bytes; i += 4) {
            memcpy(target + i, &layer->fill, 4);
        }
    }
    if (source == NULL) {
        return;
    }
    for (a = 0; a < layer->count_0; a++) {
        for (b = 0; b < layer->count_1; b++) {
            for (c = 0; c < layer->count_2; c++) {
                const int32_t from = a * layer->in_step_0 + b * layer->in_step_1 + c * layer->in_step_2;
                const int32_t to = a * layer->out_step_0 + b * layer->out_step_1 + c * layer->out_step_2;
                ec_strided_copy_line(layer, target + layer->out_first + to, source + layer->in_first + from);
            }
        }
    }
}

#endif
