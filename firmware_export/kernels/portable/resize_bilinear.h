/* RESIZE_BILINEAR, int8. One output row from the input rows above and below its place. Places are in 1/1024 pixel. */
#ifndef EDGECNN_RESIZE_BILINEAR_H
#define EDGECNN_RESIZE_BILINEAR_H

#include "fixed_point.h"

struct ec_resize_bilinear {
    int32_t in_height, out_height;
    int32_t first_y, step_y; /* the place of output row 0, and from one to the next */
    int32_t in_width, out_width;
    int32_t first_x, step_x;
    int32_t channels;
};

enum { EC_RESIZE_BILINEAR_BITS = 10, EC_RESIZE_BILINEAR_ONE = 1 << EC_RESIZE_BILINEAR_BITS };

/* The pixel at or before a place. What lies in front of the image belongs to pixel 0. */
static inline int32_t ec_resize_bilinear_lower(int32_t place)
{
    return place < 0 ? 0 : place >> EC_RESIZE_BILINEAR_BITS;
}

/* The pixel at or behind a place, the last one behind the image. */
static inline int32_t ec_resize_bilinear_upper(int32_t place, int32_t size)
{
    const int32_t pixel = ec_resize_bilinear_lower(place + EC_RESIZE_BILINEAR_ONE - 1);
    return pixel < size - 1 ? pixel : size - 1;
}

/* value / 2^20, half away from zero. |value| <= 2^27: int8 times weights that sum to 2^20. */
static inline int8_t ec_resize_bilinear_round(int32_t value)
{
    const int32_t half = INT32_C(1) << (2 * EC_RESIZE_BILINEAR_BITS - 1);
    return (int8_t)((value + half - (value < 0)) >> (2 * EC_RESIZE_BILINEAR_BITS));
}

/* out: [out_width][channels]; above and below: [in_width][channels]; down: weight of the row below, of 1024. */
static inline void ec_resize_bilinear_mix(
    const struct ec_resize_bilinear *layer, int8_t *out, const int8_t *above, const int8_t *below, int32_t down)
{
    const int32_t channels = layer->channels, up = EC_RESIZE_BILINEAR_ONE - down;
    int32_t place = layer->first_x;
    int32_t x, c;

    for (x = 0; x < layer->out_width; x++, place += layer->step_x) {
        const int32_t lower = ec_resize_bilinear_lower(place);
        const int32_t right = place - lower * EC_RESIZE_BILINEAR_ONE; /* weight of the pixel on the right */
        const int32_t left = EC_RESIZE_BILINEAR_ONE - right;
        const int32_t first = lower * channels;
        const int32_t next = ec_resize_bilinear_upper(place, layer->in_width) * channels - first;
        const int8_t *a = above + first;
        const int8_t *b = below + first;
        for (c = 0; c < channels; c++) {
            const int32_t here = a[c] * up + b[c] * down;
            const int32_t there = a[c + next] * up + b[c + next] * down;
            *out++ = ec_resize_bilinear_round(here * left + there * right);
        }
    }
}

/* in: the row at or above the place of output row y, and the one after it; the second may be NULL if it is not needed. */
static inline void ec_resize_bilinear(
    const struct ec_resize_bilinear *layer, int8_t *out, const int8_t *const *in, int32_t y)
{
    const int32_t place = layer->first_y + y % layer->out_height * layer->step_y;
    const int32_t lower = ec_resize_bilinear_lower(place);
    const int32_t upper = ec_resize_bilinear_upper(place, layer->in_height);

    ec_resize_bilinear_mix(layer, out, in[0], in[upper - lower], place - lower * EC_RESIZE_BILINEAR_ONE);
}

/* The same where no output row needs a second input row. */
static inline void ec_resize_bilinear_row(const struct ec_resize_bilinear *layer, int8_t *out, const int8_t *in, int32_t y)
{
    const int32_t place = layer->first_y + y % layer->out_height * layer->step_y;
    const int32_t lower = ec_resize_bilinear_lower(place);

    ec_resize_bilinear_mix(layer, out, in, in, place - lower * EC_RESIZE_BILINEAR_ONE);
}

#endif
