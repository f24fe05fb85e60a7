/* How the sums of a channel become int8, where two pixels are in one word (two_in_a_word.h), and on what cores the
 * compiler gets help.
 *
 * gemmlowp's first rounding is that of the high word of twice a product. What it leaves has the sign of the sum, so the
 * second one, half away from zero, and the zero point are one addition to that word. */
#ifndef EDGECNN_PACKED_CHANNEL_H
#define EDGECNN_PACKED_CHANNEL_H

#include <stdint.h>

#if defined(__GNUC__) && defined(__thumb2__)
#define EC_ARMV7M
#elif defined(__GNUC__) && defined(__thumb__)
#define EC_ARMV6M
#endif

struct ec_packed_channel {
    int32_t twice_bias;  /* with what the input's zero point adds */
    int32_t multiplier;  /* 2^30 or more, or 0 */
    int32_t carry_shift; /* lowest 8 bits: a shift to the right, 1 to 16; above: the zero point and a half, << shift */
};

#endif
