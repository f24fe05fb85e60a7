/* Convolutions by blocks of five or four pixels, one channel at a time, for the DSP extension. What the filter sees of
 * the pixels of a block is interleaved, two numbers of each, so that few instructions load much. The loops are assembly,
 * because they take every register. */
#ifndef EDGECNN_BLOCKS_H
#define EDGECNN_BLOCKS_H

#include "out_of_line.h"
#include "simd.h"

/* What the assembly works with, which it takes to the stack: at these distances from sp. */
struct ec_block {
    int8_t *out;         /* 0: the next channel of the first pixel */
    int32_t next, third; /* 4: from there to the second, and to the fourth pixel */
    int8_t *out_end;     /* 12 */
    int32_t *numbers;    /* 16: [run / 2][pixels] words */
    int32_t entry;       /* 20: from the loop's start to where it is entered, in bytes */
    int32_t *end;        /* 24: of the numbers */
    const int32_t *weights;
};

/* r0 to r4 (r3): sums, the last of which begins as the bias; then weights, and numbers up to r11; r12 the next numbers,
 * lr the next weights. Here: two numbers of each pixel and of the weights. */
#define EC_BLOCK_5(w, a0, a1, a2, a3, a4)                                                                             \
    "ldmia r12!, {r7-r11}\n\t"                                                                                        \
    "smlad r0, r7, " w ", " a0 "\n\t"                                                                                 \
    "smlad r1, r8, " w ", " a1 "\n\t"                                                                                 \
    "smlad r2, r9, " w ", " a2 "\n\t"                                                                                 \
    "smlad r3, r10, " w ", " a3 "\n\t"                                                                                \
    "smlad r4, r11, " w ", " a4 "\n\t"
#define EC_BLOCK_5_WORD(w) EC_BLOCK_5(w, "r0", "r1", "r2", "r3", "r4")
#define EC_BLOCK_4(w, a0, a1, a2, a3)                                                                                 \
    "ldmia r12!, {r8-r11}\n\t"                                                                                        \
    "smlad r0, r8, " w ", " a0 "\n\t"                                                                                 \
    "smlad r1, r9, " w ", " a1 "\n\t"                                                                                 \
    "smlad r2, r10, " w ", " a2 "\n\t"                                                                                \
    "smlad r3, r11, " w ", " a3 "\n\t"
#define EC_BLOCK_4_WORD(w) EC_BLOCK_4(w, "r0", "r1", "r2", "r3")

#define EC_BLOCK_STORE_4                                                                                              \
    "ldm sp, {r7-r10, r12}\n\t"                                                                                       \
    "strb r1, [r7, r8]\n\t"                                                                                           \
    "strb r2, [r7, r8, lsl #1]\n\t"                                                                                   \
    "strb r3, [r7, r9]\n\t"
#define EC_BLOCK_STORE_5 EC_BLOCK_STORE_4 "strb r4, [r7, r8, lsl #2]\n\t"

#define EC_BLOCK_ROUND_4(ROUND) ROUND("r0") ROUND("r1") ROUND("r2") ROUND("r3")
#define EC_BLOCK_ROUND_5(ROUND) EC_BLOCK_ROUND_4(ROUND) ROUND("r4")

/* All channels of a block. The loop has several steps and is entered in its middle, so that nothing is left for
 * after its last round. r7 may be the compiler's frame pointer: it is saved here. */
#define EC_BLOCK_LOOP(begin, steps, table, round, store)                                                              \
    "ldm r0, {r0-r6, lr}\n\t"                                                                                         \
    "push {r0-r7}\n\t"                                                                                                \
    "mov r12, r4\n"                                                                                                   \
    "1:\n\t"                                                                                                          \
    begin                                                                                                             \
    "ldr r8, [sp, #20]\n\t"                                                                                           \
    "add pc, r8\n\t"                                                                                                  \
    "nop.n\n"          /* never reached: pc is four bytes ahead of an instruction of two */                           \
    "2:\n\t"                                                                                                          \
    steps                                                                                                             \
    "ldr r8, [sp, #24]\n\t"                                                                                           \
    "cmp r12, r8\n\t"                                                                                                 \
    "bne.w 2b\n\t"                                                                                                    \
    table round store                                                                                                 \
    "strb r0, [r7], #1\n\t"                                                                                           \
    "str r7, [sp]\n\t"                                                                                                \
    "cmp r7, r10\n\t"                                                                                                 \
    "bne.w 1b\n\t"                                                                                                    \
    "pop {r0-r7}"

#define EC_BLOCK_FOUR_TIMES(text) text text text text

#define EC_BLOCK_KERNEL(name, text)                                                                                   \
    static EC_OUT_OF_LINE void name(struct ec_block *block)                                                           \
    {                                                                                                                 \
        register struct ec_block *r0 __asm__("r0") = block;                                                           \
        __asm__ volatile(text                                                                                         \
                         : "+r"(r0)                                                                                   \
                         :                                                                                            \
                         : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");\
    }

/* out[word][pixels] = two numbers of each pixel, whose columns lie `step` elements apart. A word may lie on an odd
 * element: LDR takes any address. */
#define EC_INTERLEAVE(name, registers, fifth)                                                                         \
    static EC_OUT_OF_LINE void name(int32_t *out, const int16_t *pixel, int32_t step, int32_t words)                  \
    {                                                                                                                 \
        step *= 2;                                                                                                    \
        for (; words > 0; words -= 2) {                                                                               \
            __asm__ volatile(EC_INTERLEAVE_WORD(registers, fifth) EC_INTERLEAVE_WORD(registers, fifth)                \
                             : [out] "+r"(out), [pixel] "+r"(pixel)                                                   \
                             : [step] "r"(step), [third] "r"(3 * step)                                                \
                             : "r4", "r5", "r6", "r8", "r9", "memory");                                               \
        }                                                                                                             \
    }
#define EC_INTERLEAVE_WORD(registers, fifth)                                                                          \
    "ldr r5, [%[pixel], %[step]]\n\t"                                                                                 \
    "ldr r6, [%[pixel], %[step], lsl #1]\n\t"                                                                         \
    "ldr r8, [%[pixel], %[third]]\n\t"                                                                                \
    fifth                                                                                                             \
    "ldr r4, [%[pixel]], #4\n\t"                                                                                      \
    "stmia %[out]!, {" registers "}\n\t"

EC_INTERLEAVE(ec_interleave_five, "r4-r6, r8, r9", "ldr r9, [%[pixel], %[step], lsl #2]\n\t")
EC_INTERLEAVE(ec_interleave_four, "r4-r6, r8", "")

/* out: [out_width][out_channels]; in: kernel_h rows of in_width pixels; scratch: the columns, and a block's numbers. */
#define EC_CONV_2D_BLOCKS(kernel, form, pixels, step_words, steps, step_bytes, interleave, all_channels)              \
    static EC_OUT_OF_LINE void ec_##kernel##_##form(                                                                  \
        const struct ec_##kernel *layer, int8_t *out, const int8_t *const *in, void *scratch)                         \
    {                                                                                                                 \
        const int32_t words = layer->run / 2, channels = layer->out_channels;                                         \
        const int32_t last = layer->out_width - (pixels);                                                             \
        int16_t *const columns = (int16_t *)scratch;                                                                  \
        struct ec_block block;                                                                                        \
        int32_t x;                                                                                                    \
                                                                                                                      \
        block.next = channels;                                                                                        \
        block.third = 3 * channels;                                                                                   \
        block.numbers = (int32_t *)(void *)ec_columns(                                                                \
            columns, in, layer->in_width, layer->depth, layer->kernel_h, layer->in_offset, layer->before,             \
            layer->after);                                                                                            \
        block.entry = (step_bytes) * ((steps) - (words / (step_words) - 1) % (steps));                                \
        block.end = block.numbers + (pixels) * words;                                                                 \
        block.weights = layer->weights;                                                                               \
        for (x = 0; x < layer->out_width; x += (pixels)) {                                                            \
            const int32_t first = x < last ? x : last; /* the last block may overlap the one before it */             \
            block.out = out + first * channels;                                                                       \
            block.out_end = block.out + channels;                                                                     \
            interleave(block.numbers, columns + first * layer->step, layer->step, words);                             \
            all_channels(&block);                                                                                     \
        }                                                                                                             \
        ec_clamp_all(out, layer->out_width * channels, layer->low, layer->high);                                      \
    }

#endif
