/* ADD and SUB, int8, of two tensors of one shape, for Helium: two instructions an element. A sum of two products is not
 * what TFLite computes, but the compiler found factors with which it rounds to the same number for each of the 65,536
 * pairs of inputs. Shifts round, for which the offset makes up: GNU as 2.40 takes VQSHRN for VQRSHRN. */
#ifndef EDGECNN_ADD_LANES_H
#define EDGECNN_ADD_LANES_H

#include "helium.h"

struct ec_add_lanes {
    int32_t count;                               /* of a row */
    int32_t first_factor, second_factor, offset; /* 1 of the output is 2^22 */
    int32_t low, high;                           /* of the fused activation */
};

/* out, first, second: [count]; out may be the memory of either. */
static EC_OUT_OF_LINE void ec_add_lanes(
    const struct ec_add_lanes *layer, int8_t *out, const int8_t *first, const int8_t *second)
{
    register int8_t *to __asm__("r0") = out;
    register const int8_t *left __asm__("r1") = first;
    register const int8_t *right __asm__("r2") = second;

    __asm__ volatile(
        "vdup.32 q2, %[first_factor]\n\t"
        "wlstp.32 lr, %[count], 2f\n"
        "1:\n\t"
        "vldrb.s32 q0, [%[left]], #4\n\t"
        "vldrb.s32 q1, [%[right]], #4\n\t"
        "vmlas.s32 q0, q2, %[offset]\n\t"
        "vmla.s32 q0, q1, %[second_factor]\n\t"
        "vqrshrnb.s32 q0, q0, #16\n\t"
        "vqrshrnb.s16 q0, q0, #6\n\t"
        "vstrb.32 q0, [%[to]], #4\n\t"
        "letp lr, 1b\n"
        "2:"
        : [to] "+&r"(to), [left] "+&r"(left), [right] "+&r"(right)
        : [first_factor] "r"(layer->first_factor), [second_factor] "r"(layer->second_factor),
          [offset] "r"(layer->offset), [count] "r"(layer->count)
        : "d0", "d1", "d2", "d3", "d4", "d5", "lr", "cc", "memory");
    if (layer->low > -128 || layer->high < 127) {
        ec_clamp_row(out, layer->count, layer->low, layer->high);
    }
}

#endif
