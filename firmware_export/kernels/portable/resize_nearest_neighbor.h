/* RESIZE_NEAREST_NEIGHBOR, int8. One output row from the nearest input row. */
#ifndef EDGECNN_RESIZE_NEAREST_NEIGHBOR_H
#define EDGECNN_RESIZE_NEAREST_NEIGHBOR_H

#include "fixed_point.h"

struct ec_resize_nearest_neighbor {
    const int16_t *columns; /* [out_width]: the input pixel of each */
    int32_t out_width, channels;
};

/* out: [out_width][channels]; in: [in_width][channels]. */
static inline void ec_resize_nearest_neighbor(const struct ec_resize_nearest_neighbor *layer, int8_t *out, const int8_t *in)
{
    const int16_t *column = layer->columns;
    const int16_t *const end = column + layer->out_width;
    const int32_t channels = layer->channels;
    int32_t c;

    for (; column < end; column++) {
        const int8_t *pixel = in + *column * channels;
        for (c = 0; c < channels; c++) {
            *out++ = *pixel++;
        }
    }
}

#endif
