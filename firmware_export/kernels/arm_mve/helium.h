/* Helium, the vectors of Armv8.1-M: sixteen products of int8 in an instruction. */
#ifndef EDGECNN_HELIUM_H
#define EDGECNN_HELIUM_H

#if !defined(__ARM_FEATURE_MVE) || !(__ARM_FEATURE_MVE & 1)
#error "This network was compiled for Arm's Helium (Cortex-M55, M85, ...). Compile it for another --target."
#endif

#include <arm_mve.h>
#include <stdint.h>
#include <string.h>

#include "out_of_line.h"

/* Vectors q0 to q7 by their halves: the names that clobbers are known by. */
#define EC_VECTORS_0_TO_3 "d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7"
#define EC_VECTORS_5_TO_7 "d10", "d11", "d12", "d13", "d14", "d15"

/* out[i] = value for `count` bytes. */
static inline void ec_fill_bytes(int8_t *out, int32_t value, int32_t count)
{
    __asm__ volatile(
        "vdup.8 q0, %[value]\n\t"
        "wlstp.8 lr, %[count], 2f\n"
        "1:\n\t"
        "vstrb.8 q0, [%[out]], #16\n\t"
        "letp lr, 1b\n"
        "2:"
        : [out] "+&r"(out)
        : [value] "r"(value), [count] "r"(count)
        : "d0", "d1", "lr", "cc", "memory");
}

/* A row of the output within the range of an activation that is not that of int8. */
static EC_OUT_OF_LINE void ec_clamp_row(int8_t *out, int32_t count, int32_t low, int32_t high)
{
    __asm__ volatile(
        "vdup.8 q1, %[low]\n\t"
        "vdup.8 q2, %[high]\n\t"
        "wlstp.8 lr, %[count], 2f\n"
        "1:\n\t"
        "vldrb.u8 q0, [%[out]]\n\t"
        "vmax.s8 q0, q0, q1\n\t"
        "vmin.s8 q0, q0, q2\n\t"
        "vstrb.8 q0, [%[out]], #16\n\t"
        "letp lr, 1b\n"
        "2:"
        : [out] "+&r"(out)
        : [low] "r"(low), [high] "r"(high), [count] "r"(count)
        : "d0", "d1", "d2", "d3", "d4", "d5", "lr", "cc", "memory");
}

#endif
