/* The products of tiles with weights, and the output from them: see conv_2d_tiles.h. */
#ifndef EDGECNN_TILE_PRODUCTS_H
#define EDGECNN_TILE_PRODUCTS_H

#include "out_of_line.h"
#include "simd.h"

#define EC_TILES 4          /* neighbours along the row that are computed together */
#define EC_TILES_COLUMNS 10 /* of the input that they see */

/* What the assembly works with, which it takes to the stack: at these distances from sp. */
struct ec_tiles {
    int8_t *out;             /* 0: the next channel of the first pixel */
    int32_t two, six;        /* 4: from there to the pixel of the second tile, and of the fourth */
    int32_t row;             /* 12: to the second row */
    int32_t *numbers;        /* 16 */
    int8_t *out_end;         /* 20 */
    const int32_t *weights;
};

/* Eight numbers of each tile: 21 instructions for 32 products. r0 to r3: sums; r12: the next numbers, lr: weights. */
#define EC_TILES_WORD(w)                                                                                              \
    "ldmia r12!, {r8-r11}\n\t"                                                                                        \
    "smlad r0, r8, " w ", r0\n\t"                                                                                     \
    "smlad r1, r9, " w ", r1\n\t"                                                                                     \
    "smlad r2, r10, " w ", r2\n\t"                                                                                    \
    "smlad r3, r11, " w ", r3\n\t"
#define EC_TILES_EIGHT                                                                                                \
    "ldmia lr!, {r4-r7}\n\t" EC_TILES_WORD("r4") EC_TILES_WORD("r5") EC_TILES_WORD("r6") EC_TILES_WORD("r7")
#define EC_TILES_EIGHT_BYTES 84

/* The 16 products of four tiles, pushed one after the other. In front of the numbers of each lie four zeros, which the
 * sums begin with, and how far to go from here: to where as many steps are left as are wanted; after the last, on. */
#define EC_TILES_PRODUCTS                                                                                             \
    "ldr r12, [sp, #16]\n\t"                                                                                          \
    "b.w 3f\n\t"                                                                                                      \
    ".rept 8\n\t" EC_TILES_EIGHT ".endr\n\t"                                                                          \
    "stmdb.w sp!, {r0-r3}\n"                                                                                          \
    "3:\n\t"                                                                                                          \
    "ldmia r12!, {r0-r3, r8}\n\t"                                                                                     \
    "add pc, r8\n\t"                                                                                                  \
    "nop.n\n\t" /* never reached: pc is four bytes ahead of an instruction of two */
#define EC_TILES_PC 12 /* from behind the steps to there */

/* r8 to r11 = first + second + third, r0 to r3 = first - second + fourth. The first ones are in r0 to r7. */
#define EC_TILES_COMBINE(third, fourth)                                                                               \
    "add r8, r0, r4\n\tsub r0, r0, r4\n\t"                                                                            \
    "add r9, r1, r5\n\tsub r1, r1, r5\n\t"                                                                            \
    "add r10, r2, r6\n\tsub r2, r2, r6\n\t"                                                                           \
    "add r11, r3, r7\n\tsub r3, r3, r7\n\t"                                                                           \
    third                                                                                                             \
    "add r8, r8, r4\n\tadd r9, r9, r5\n\tadd r10, r10, r6\n\tadd r11, r11, r7\n\t"                                    \
    fourth                                                                                                            \
    "add r0, r0, r4\n\tadd r1, r1, r5\n\tadd r2, r2, r6\n\tadd r3, r3, r7\n\t"

/* Along a row i of products: what it adds to the two columns of the output. */
#define EC_TILES_ACROSS(bias)                                                                                         \
    "ldmia sp!, {r0-r7}\n\t"                                                                                          \
    bias EC_TILES_COMBINE("ldmia sp!, {r4-r7}\n\t", "ldmia sp!, {r4-r7}\n\t")                                         \
    "stmia r12!, {r0-r3, r8-r11}\n\t"
#define EC_TILES_BIAS                                                                                                 \
    "ldr r8, [lr], #4\n\t"                                                                                            \
    "add r0, r0, r8\n\tadd r1, r1, r8\n\tadd r2, r2, r8\n\tadd r3, r3, r8\n\t"

/* Down a column of the output: r8 to r11 become its upper, r0 to r3 its lower pixels. */
#define EC_TILES_LOAD(a, b, c, d, at)                                                                                 \
    "ldrd " a ", " b ", [r12, #-" at "]\n\t"                                                                          \
    "ldrd " c ", " d ", [r12, #-" at " + 8]\n\t"
#define EC_TILES_DOWN(at0, at1, at2, at3)                                                                             \
    EC_TILES_LOAD("r0", "r1", "r2", "r3", at1)                                                                        \
    EC_TILES_LOAD("r4", "r5", "r6", "r7", at2)                                                                        \
    EC_TILES_COMBINE(EC_TILES_LOAD("r4", "r5", "r6", "r7", at0), EC_TILES_LOAD("r4", "r5", "r6", "r7", at3))

/* Each sum, four times as large, its bias included, see ec_round_twice. r4: multiplier, r5: carry, r6: shift. */
#define EC_TILES_EACH(text) ".irp sum, r8, r9, r10, r11, r0, r1, r2, r3\n\t" text ".endr\n\t"
#define EC_TILES_SIGNED                                                                                               \
    EC_TILES_EACH(                                                                                                    \
        "add r7, r5, \\sum, asr #31\n\t"                                                                              \
        "add r7, r7, \\sum, asr #31\n\t"                                                                              \
        "smmla \\sum, \\sum, r4, r7\n\t"                                                                              \
        "asr \\sum, \\sum, r6\n\t"                                                                                    \
        "ssat \\sum, #8, \\sum\n\t")

/* The activation cuts off all that is below the zero point: so it does not matter how negative sums are rounded. */
#define EC_TILES_RECTIFIED                                                                                            \
    EC_TILES_EACH(                                                                                                    \
        "smmla \\sum, \\sum, r4, r5\n\t"                                                                              \
        "asr \\sum, \\sum, r6\n\t"                                                                                    \
        "ssat \\sum, #8, \\sum\n\t")

#define EC_TILES_STORE(column)                                                                                        \
    "ldm sp, {r4-r7}\n\t"                                                                                             \
    column                                                                                                            \
    "strb r8, [r4]\n\tstrb r9, [r4, r5]\n\tstrb r10, [r4, r5, lsl #1]\n\tstrb r11, [r4, r6]\n\t"                      \
    "add r4, r4, r7\n\t"                                                                                              \
    "strb r0, [r4]\n\tstrb r1, [r4, r5]\n\tstrb r2, [r4, r5, lsl #1]\n\tstrb r3, [r4, r6]\n\t"

/* All channels of four tiles. r7 may be the compiler's frame pointer: it is saved here. The stack is lowered and raised
 * so that tools which read code (edgecnn/mcu/thumb.py) count what the loop pushes: 16 times, not once. */
#define EC_TILES_KERNEL(name, round)                                                                                  \
    static EC_OUT_OF_LINE void name(const struct ec_tiles *tiles)                                                     \
    {                                                                                                                 \
        register const struct ec_tiles *r0 __asm__("r0") = tiles;                                                     \
        __asm__ volatile(                                                                                             \
            "ldm r0, {r1-r6, lr}\n\t"                                                                                 \
            "push {r1-r7}\n\t"                                                                                        \
            "sub sp, sp, #240\n\t"                                                                                    \
            "add sp, sp, #240\n"                                                                                      \
            "1:\n\t"                                                                                                  \
            EC_TILES_PRODUCTS                                                                                         \
            EC_TILES_ACROSS("") EC_TILES_ACROSS(EC_TILES_BIAS) EC_TILES_ACROSS("") EC_TILES_ACROSS("")                \
            EC_TILES_DOWN("112", "80", "48", "16")                                                                    \
            "ldm lr, {r4-r6}\n\t"                                                                                     \
            round EC_TILES_STORE("")                                                                                  \
            EC_TILES_DOWN("128", "96", "64", "32")                                                                    \
            "ldmia lr!, {r4-r6}\n\t"                                                                                  \
            round EC_TILES_STORE("add r4, r4, r5, lsr #1\n\t")                                                        \
            "ldr r4, [sp]\n\t"                                                                                        \
            "ldr r5, [sp, #20]\n\t"                                                                                   \
            "add r4, r4, #1\n\t"                                                                                      \
            "str r4, [sp]\n\t"                                                                                        \
            "cmp r4, r5\n\t"                                                                                          \
            "bne.w 1b\n\t"                                                                                            \
            "pop {r1-r7}"                                                                                             \
            : "+r"(r0)                                                                                                \
            :                                                                                                         \
            : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");             \
    }

EC_TILES_KERNEL(ec_tiles_rectified, EC_TILES_RECTIFIED)
EC_TILES_KERNEL(ec_tiles_signed, EC_TILES_SIGNED)

#endif
