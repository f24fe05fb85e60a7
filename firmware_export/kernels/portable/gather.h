/* GATHER: the positions of a table that ids name. Elements of any type. */
#ifndef EDGECNN_GATHER_H
#define EDGECNN_GATHER_H

#include "fixed_point.h"

struct ec_gather {
    int32_t slices;    /* of the table, each asked for all ids */
    int32_t positions; /* in a slice */
    int32_t ids;
    int32_t bytes;     /* of a position */
};

/* out: [slices][ids][bytes]; table: [slices][positions][bytes]; ids: [ids], the nearest one that exists for one outside. */
static inline void ec_gather(const struct ec_gather *layer, void *out, const void *table, const int32_t *ids)
{
    const int32_t bytes = layer->bytes, last = layer->positions - 1;
    const int8_t *slice = (const int8_t *)table;
    int8_t *to = (int8_t *)out;
    int32_t s, i;

    for (s = 0; s < layer->slices; s++) {
        for (i = 0; i < layer->ids; i++) {
            memcpy(to + i * bytes, slice + ec_clamp(ids[i], 0, last) * bytes, (size_t)bytes);
        }
        to += layer->ids * bytes;
        slice += layer->positions * bytes;
    }
}

#endif
