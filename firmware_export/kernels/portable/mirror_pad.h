/* MIRROR_PAD: a row with a border on each side of two dimensions that mirrors what is inside. Elements of any type. */
#ifndef EDGECNN_MIRROR_PAD_H
#define EDGECNN_MIRROR_PAD_H

#include "fixed_point.h"

struct ec_mirror_pad {
    int32_t in_height, pad_top, out_height;
    int32_t in_width, pad_left, out_width;
    int32_t bytes;        /* that are moved together */
    int32_t without_edge; /* 1: the border begins with the element beside the edge, 0: with the edge */
};

/* Where position i of a dimension lies in the mirror, if it lies outside. */
static inline int32_t ec_mirror_pad_position(int32_t i, int32_t size, int32_t without_edge)
{
    if (i < 0) {
        return without_edge - 1 - i;
    }
    return i < size ? i : 2 * size - 1 - without_edge - i;
}

/* out: [out_height][out_width][bytes]; in: [in_height][in_width][bytes]. */
static inline void ec_mirror_pad(const struct ec_mirror_pad *layer, void *out, const void *in)
{
    const int32_t width = layer->in_width, bytes = layer->bytes, without_edge = layer->without_edge;
    const int8_t *const from = (const int8_t *)in;
    int8_t *to = (int8_t *)out;
    int32_t y, x;

    for (y = 0; y < layer->out_height; y++) {
        const int32_t line = ec_mirror_pad_position(y - layer->pad_top, layer->in_height, without_edge) * width;
        for (x = 0; x < layer->out_width; x++, to += bytes) {
            const int32_t column = ec_mirror_pad_position(x - layer->pad_left, width, without_edge);
            memcpy(to, from + (line + column) * bytes, (size_t)bytes);
        }
    }
}

#endif
