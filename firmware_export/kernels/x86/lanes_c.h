/* lanes.h in plain C, for compilers that are not told of AVX2. */
#ifndef EDGECNN_LANES_C_H
#define EDGECNN_LANES_C_H

#include "fixed_point.h"
#include "vector_size.h"

#if EC_VECTOR_BYTES == 0

typedef struct {
    int32_t lane[16];
} ec_lanes;

typedef const int8_t *ec_weights;

/* Words that lie one after the other, or the same one for all. */
typedef struct {
    const uint8_t *bytes;
    int32_t step;
} ec_words;

typedef struct {
    int8_t lane[16];
} ec_bytes;

struct ec_scale {
    const int32_t *multiplier, *shift;
    int32_t zero_point;
};

static EC_INLINE ec_lanes ec_load_lanes(const int32_t *from)
{
    ec_lanes lanes;

    memcpy(lanes.lane, from, sizeof(lanes.lane));
    return lanes;
}

static EC_INLINE ec_lanes ec_same_lanes(int32_t value)
{
    ec_lanes lanes;
    int32_t i;

    for (i = 0; i < 16; i++) {
        lanes.lane[i] = value;
    }
    return lanes;
}

/* Sums and products are modulo 2^32: what a bias or a part of a sum is beyond, the rest takes back. */
static EC_INLINE ec_lanes ec_add_lanes(ec_lanes a, ec_lanes b)
{
    int32_t i;

    for (i = 0; i < 16; i++) {
        a.lane[i] = (int32_t)((uint32_t)a.lane[i] + (uint32_t)b.lane[i]);
    }
    return a;
}

static EC_INLINE ec_lanes ec_multiply_lanes(ec_lanes a, ec_lanes b)
{
    int32_t i;

    for (i = 0; i < 16; i++) {
        a.lane[i] = (int32_t)((uint32_t)a.lane[i] * (uint32_t)b.lane[i]);
    }
    return a;
}

static EC_INLINE ec_bytes ec_shift_and_narrow(ec_lanes lanes, int32_t shift)
{
    ec_bytes bytes;
    int32_t i;

    for (i = 0; i < 16; i++) {
        bytes.lane[i] = (int8_t)ec_clamp(lanes.lane[i] >> shift, -128, 127);
    }
    return bytes;
}

/* Each sum / count, half away from zero. */
static EC_INLINE ec_bytes ec_mean_lanes(ec_lanes sums, int32_t count)
{
    ec_bytes bytes;
    int32_t i;

    for (i = 0; i < 16; i++) {
        const int32_t half = sums.lane[i] > 0 ? count / 2 : -(count / 2);
        bytes.lane[i] = (int8_t)((sums.lane[i] + half) / count);
    }
    return bytes;
}

static EC_INLINE ec_bytes ec_same_byte(int32_t value)
{
    ec_bytes bytes;

    memset(bytes.lane, value, sizeof(bytes.lane));
    return bytes;
}

static EC_INLINE ec_lanes ec_widen(ec_bytes bytes)
{
    ec_lanes lanes;
    int32_t i;

    for (i = 0; i < 16; i++) {
        lanes.lane[i] = bytes.lane[i];
    }
    return lanes;
}

static EC_INLINE ec_weights ec_load_weights(const int8_t *from)
{
    return from;
}

static EC_INLINE ec_words ec_same_word(const uint8_t *from)
{
    ec_words words;

    words.bytes = from;
    words.step = 0;
    return words;
}

static EC_INLINE ec_words ec_load_words(const uint8_t *from)
{
    ec_words words;

    words.bytes = from;
    words.step = 4;
    return words;
}

static EC_INLINE ec_lanes ec_add_products(ec_lanes sums, ec_words words, ec_weights weights)
{
    int32_t i;

    for (i = 0; i < 16; i++, weights += 4, words.bytes += words.step) {
        const int32_t low = words.bytes[0] * weights[0] + words.bytes[1] * weights[1];
        const int32_t high = words.bytes[2] * weights[2] + words.bytes[3] * weights[3];
        sums.lane[i] = (int32_t)((uint32_t)sums.lane[i] + (uint32_t)(low + high));
    }
    return sums;
}

static EC_INLINE ec_bytes ec_load_bytes(const int8_t *from, int32_t count)
{
    ec_bytes bytes = {{0}};

    memcpy(bytes.lane, from, count < 16 ? (size_t)count : 16u);
    return bytes;
}

static EC_INLINE void ec_store_bytes(int8_t *to, ec_bytes bytes, int32_t count)
{
    memcpy(to, bytes.lane, count < 16 ? (size_t)count : 16u);
}

static EC_INLINE void ec_store_columns(
    uint8_t *to, ec_bytes row0, ec_bytes row1, ec_bytes row2, ec_bytes row3)
{
    int32_t i;

    for (i = 0; i < 16; i++) {
        *to++ = (uint8_t)(row0.lane[i] + 128);
        *to++ = (uint8_t)(row1.lane[i] + 128);
        *to++ = (uint8_t)(row2.lane[i] + 128);
        *to++ = (uint8_t)(row3.lane[i] + 128);
    }
}

static EC_INLINE void ec_copy_flipped(uint8_t *to, const int8_t *from, int32_t count)
{
    for (; count > 0; count--) {
        *to++ = (uint8_t)(*from++ + 128);
    }
}

static EC_INLINE void ec_fill(uint8_t *to, uint8_t value, int32_t count)
{
    memset(to, value, (size_t)count);
}

static EC_INLINE struct ec_scale ec_load_scale(const int32_t *multiplier, const int32_t *shift, int32_t zero_point)
{
    struct ec_scale scale;

    scale.multiplier = multiplier;
    scale.shift = shift;
    scale.zero_point = zero_point;
    return scale;
}

static EC_INLINE ec_bytes ec_requantize_lanes(ec_lanes sums, const struct ec_scale *scale, int32_t is_signed)
{
    ec_bytes bytes;
    int32_t i;

    (void)is_signed;
    for (i = 0; i < 16; i++) {
        const int32_t value = ec_multiply(sums.lane[i], scale->multiplier[i], scale->shift[i]) + scale->zero_point;
        bytes.lane[i] = (int8_t)ec_clamp(value, -128, 127);
    }
    return bytes;
}

static EC_INLINE ec_bytes ec_max_bytes(ec_bytes a, ec_bytes b)
{
    int32_t i;

    for (i = 0; i < 16; i++) {
        a.lane[i] = a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i];
    }
    return a;
}

static EC_INLINE ec_bytes ec_clamp_bytes(ec_bytes bytes, int32_t low, int32_t high)
{
    int32_t i;

    for (i = 0; i < 16; i++) {
        bytes.lane[i] = (int8_t)ec_clamp(bytes.lane[i], low, high);
    }
    return bytes;
}

#endif

#endif
