/* Neighbouring pixels of a row taken together, 16 channels at a time: what pools and means are made of. */
#ifndef EDGECNN_PIXELS_H
#define EDGECNN_PIXELS_H

#include "neon.h"

#define EC_PIXELS_OF_16_BITS 256 /* that many int8 numbers add up in 16 bits */

#if defined(__ARM_NEON)

static EC_INLINE void ec_add_to_eight(int32_t *sums, int16x8_t more)
{
    vst1q_s32(sums, vaddw_s16(vld1q_s32(sums), vget_low_s16(more)));
    vst1q_s32(sums + 4, vaddw_s16(vld1q_s32(sums + 4), vget_high_s16(more)));
}

/* sums[c] += in[i * step + c] for i < count, c < 16; count is at most 256. */
static EC_INLINE void ec_sum_sixteen(int32_t *sums, const int8_t *in, int32_t step, int32_t count)
{
    int16x8_t low = vdupq_n_s16(0), high = low;

    for (; count > 0; count--, in += step) {
        const int8x16_t pixel = vld1q_s8(in);
        low = vaddw_s8(low, vget_low_s8(pixel));
        high = vaddw_s8(high, vget_high_s8(pixel));
    }
    ec_add_to_eight(sums, low);
    ec_add_to_eight(sums + 8, high);
}

/* largest[c] = the larger one of itself and in[i * step + c] for i < count, c < 16. */
static EC_INLINE void ec_max_sixteen(int8_t *largest, const int8_t *in, int32_t step, int32_t count)
{
    int8x16_t most = vld1q_s8(largest);

    for (; count > 0; count--, in += step) {
        most = vmaxq_s8(most, vld1q_s8(in));
    }
    vst1q_s8(largest, most);
}

#else

static EC_INLINE void ec_sum_sixteen(int32_t *sums, const int8_t *in, int32_t step, int32_t count)
{
    int32_t c;

    for (; count > 0; count--, in += step) {
        for (c = 0; c < 16; c++) {
            sums[c] += in[c];
        }
    }
}

static EC_INLINE void ec_max_sixteen(int8_t *largest, const int8_t *in, int32_t step, int32_t count)
{
    int32_t c;

    for (; count > 0; count--, in += step) {
        for (c = 0; c < 16; c++) {
            largest[c] = in[c] > largest[c] ? in[c] : largest[c];
        }
    }
}

#endif

/* sums[c] += in[i * step + c] for i < count, c < channels; count is at most 256. */
static EC_OUT_OF_LINE void ec_sum_some_pixels(
    int32_t *sums, const int8_t *in, int32_t channels, int32_t step, int32_t count)
{
    for (; channels >= 16; channels -= 16, in += 16, sums += 16) {
        ec_sum_sixteen(sums, in, step, count);
    }
    for (; channels > 0; channels--, in++, sums++) {
        int32_t i;
        for (i = 0; i < count; i++) {
            *sums += in[i * step];
        }
    }
}

/* The same for any count. */
static inline void ec_sum_pixels(int32_t *sums, const int8_t *in, int32_t channels, int32_t step, int32_t count)
{
    for (; count > EC_PIXELS_OF_16_BITS; count -= EC_PIXELS_OF_16_BITS, in += EC_PIXELS_OF_16_BITS * step) {
        ec_sum_some_pixels(sums, in, channels, step, EC_PIXELS_OF_16_BITS);
    }
    ec_sum_some_pixels(sums, in, channels, step, count);
}

/* largest[c] = the larger one of itself and in[i * step + c] for i < count, c < channels. */
static EC_OUT_OF_LINE void ec_max_pixels(
    int8_t *largest, const int8_t *in, int32_t channels, int32_t step, int32_t count)
{
    for (; channels >= 16; channels -= 16, in += 16, largest += 16) {
        ec_max_sixteen(largest, in, step, count);
    }
    for (; channels > 0; channels--, in++, largest++) {
        int32_t i;
        for (i = 0; i < count; i++) {
            *largest = in[i * step] > *largest ? in[i * step] : *largest;
        }
    }
}

#endif
