/* Neighbouring pixels of a row taken together, four channels at a time: what pools and means are made of. */
#ifndef EDGECNN_PIXELS_H
#define EDGECNN_PIXELS_H

#include "out_of_line.h"
#include "simd.h"

#define EC_PIXELS_OF_16_BITS 256 /* that many int8 numbers add up in 16 bits */

/* sums[c] += in[i * step + c] for i < count, c < channels; count is at most 256. */
static EC_OUT_OF_LINE void ec_sum_some_pixels(
    int32_t *sums, const int8_t *in, int32_t channels, int32_t step, int32_t count)
{
    for (; channels >= 4; channels -= 4, in += 4, sums += 4) {
        const int8_t *pixel = in;
        int32_t left, even = 0, odd = 0; /* two channels each */
        for (left = count; left > 0; left--, pixel += step) {
            int32_t four;
            memcpy(&four, pixel, 4);
            __asm__("sxtab16 %0, %0, %1" : "+r"(even) : "r"(four));
            __asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(odd) : "r"(four));
        }
        sums[0] += (int16_t)even;
        sums[1] += (int16_t)odd;
        sums[2] += even >> 16;
        sums[3] += odd >> 16;
    }
    for (; channels > 0; channels--, in++, sums++) {
        const int8_t *pixel = in;
        int32_t left;
        for (left = count; left > 0; left--, pixel += step) {
            *sums += *pixel;
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
    for (; channels >= 4; channels -= 4, in += 4, largest += 4) {
        const int8_t *pixel = in;
        int32_t left, most;
        memcpy(&most, largest, 4);
        for (left = count; left > 0; left--, pixel += step) {
            int32_t four, difference;
            memcpy(&four, pixel, 4);
            __asm__("ssub8 %1, %0, %2\n\tsel %0, %0, %2" : "+r"(most), "=&r"(difference) : "r"(four) : "cc");
        }
        memcpy(largest, &most, 4);
    }
    for (; channels > 0; channels--, in++, largest++) {
        const int8_t *pixel = in;
        int32_t left;
        for (left = count; left > 0; left--, pixel += step) {
            *largest = *pixel > *largest ? *pixel : *largest;
        }
    }
}

#endif
