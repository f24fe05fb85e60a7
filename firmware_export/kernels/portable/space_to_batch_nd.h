/* SPACE_TO_BATCH_ND: one row of a small image, every block_w-th pixel of a row of the large one. Elements of any type. */
#ifndef EDGECNN_SPACE_TO_BATCH_ND_H
#define EDGECNN_SPACE_TO_BATCH_ND_H

#include "fixed_point.h"

struct ec_space_to_batch_nd {
    int32_t in_width, out_width;
    int32_t pixel;    /* bytes of all channels */
    int32_t block_w;  /* pixels from one to the next */
    int32_t pad_left;
    int32_t rows;     /* of all small images that begin at the same column of their blocks */
    int32_t fill;     /* each byte of a pixel outside the large image */
};

/* out: [out_width][pixel], row y of all small images; in: [in_width][pixel], NULL above and below the large image. */
static inline void ec_space_to_batch_nd(const struct ec_space_to_batch_nd *layer, void *out, const void *in, int32_t y)
{
    const int8_t *const from = (const int8_t *)in;
    const int32_t pixel = layer->pixel;
    int8_t *to = (int8_t *)out;
    int32_t column = y / layer->rows % layer->block_w - layer->pad_left;
    int32_t x;

    for (x = 0; x < layer->out_width; x++, to += pixel, column += layer->block_w) {
        if (from != NULL && column >= 0 && column < layer->in_width) {
            memcpy(to, from + column * pixel, (size_t)pixel);
        } else {
            memset(to, (int)layer->fill, (size_t)pixel);
        }
    }
}

#endif
