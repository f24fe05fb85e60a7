/* ADD and SUB, int8, of two tensors of one shape, for the DSP extension: six instructions an element. It is a sum of
 * two products, which is not how TFLite computes it; but the compiler found factors with which it rounds to the same
 * number for each of the 65,536 pairs of inputs. */
#ifndef EDGECNN_ADD_LINEAR_H
#define EDGECNN_ADD_LINEAR_H

#include "fixed_point.h"
#include "out_of_line.h"
#include "simd.h"

struct ec_add_linear {
    int32_t count; /* of a row */
    int32_t first_factor, second_factor, offset; /* 1 of the output is 2^29, in the offset 2^21 */
    int32_t low, high; /* of the fused activation */
};

/* Bytes lie in the upper halves of halfwords: smlaw adds floor(byte * factor / 2^8). 22 instructions for four sums. */
#define EC_ADD_FOUR_PAIRS                                                                                             \
    "ldr %[a], [%[first]], #4\n\t"                                                                                    \
    "ldr %[b], [%[second]], #4\n\t"                                                                                   \
    "and %[x], %[mask], %[a], lsl #8\n\t"                                                                             \
    "and %[y], %[mask], %[b], lsl #8\n\t"                                                                             \
    "smlawb %[z], %[first_factor], %[x], %[offset]\n\t"                                                               \
    "smlawt %[x], %[first_factor], %[x], %[offset]\n\t"                                                               \
    "smlawb %[z], %[second_factor], %[y], %[z]\n\t"                                                                   \
    "smlawt %[x], %[second_factor], %[y], %[x]\n\t"                                                                   \
    "and %[a], %[a], %[mask]\n\t"                                                                                     \
    "and %[b], %[b], %[mask]\n\t"                                                                                     \
    "smlawb %[y], %[first_factor], %[a], %[offset]\n\t"                                                               \
    "smlawt %[a], %[first_factor], %[a], %[offset]\n\t"                                                               \
    "smlawb %[y], %[second_factor], %[b], %[y]\n\t"                                                                   \
    "smlawt %[a], %[second_factor], %[b], %[a]\n\t"                                                                   \
    "ssat %[z], #8, %[z], asr #21\n\t"                                                                                \
    "strb %[z], [%[out]], #1\n\t"                                                                                     \
    "ssat %[y], #8, %[y], asr #21\n\t"                                                                                \
    "strb %[y], [%[out]], #1\n\t"                                                                                     \
    "ssat %[x], #8, %[x], asr #21\n\t"                                                                                \
    "strb %[x], [%[out]], #1\n\t"                                                                                     \
    "ssat %[a], #8, %[a], asr #21\n\t"                                                                                \
    "strb %[a], [%[out]], #1\n\t"

/* out, first, second: [count]; out may be the memory of either. */
static EC_OUT_OF_LINE void ec_add_linear(
    const struct ec_add_linear *layer, int8_t *out, const int8_t *first, const int8_t *second)
{
    const struct ec_add_linear p = *layer; /* a copy: what is written to out cannot change it */
    int32_t left;

    for (left = p.count; left >= 4; left -= 4) {
        int32_t a, b, x, y, z;
        __asm__ volatile(EC_ADD_FOUR_PAIRS
                         : [first] "+r"(first), [second] "+r"(second), [out] "+r"(out), [a] "=&r"(a), [b] "=&r"(b),
                           [x] "=&r"(x), [y] "=&r"(y), [z] "=&r"(z)
                         : [first_factor] "r"(p.first_factor), [second_factor] "r"(p.second_factor),
                           [offset] "r"(p.offset), [mask] "r"(0xFF00FF00u)
                         : "memory");
    }
    for (; left > 0; left--) {
        const int32_t sum = __smlawb(p.first_factor, *first++ * 256, p.offset);
        *out++ = (int8_t)ec_clamp(__smlawb(p.second_factor, *second++ * 256, sum) >> 21, -128, 127);
    }
    if (p.low > -128 || p.high < 127) {
        for (left = p.count; left > 0; left--) {
            out--;
            *out = (int8_t)ec_clamp(*out, p.low, p.high);
        }
    }
}

#endif
