/* CONV_2D and FULLY_CONNECTED, int8, per channel, for Helium: two pixels and four channels at a time. What a filter
 * sees is one run of bytes, times sixteen weights in an instruction. NULL stands for a row of padding. */
#ifndef EDGECNN_CONV_2D_DOTS_H
#define EDGECNN_CONV_2D_DOTS_H

#include "helium.h"

struct ec_conv_2d_dots {
    const int8_t *weights;   /* [out_channels / 4][vectors][4][16] */
    const int32_t *channels; /* [out_channels / 4][3][4]: bias with the zero point, multiplier, minus right shift */
    int32_t in_width, depth; /* of the input, in pixels, and its channels */
    int32_t kernel_h;
    int32_t before, after; /* padding around the columns, in bytes */
    int32_t vectors;       /* what a filter sees, by 16 */
    int32_t step;          /* bytes from a pixel to the next */
    int32_t out_width, out_channels;
    int32_t in_zero_point, out_zero_point;
    int32_t low, high; /* of the fused activation */
};

/* Sixteen numbers of two pixels: 14 instructions for 128 products. Sums are in the eight even registers, which is where
 * VMLADAVA can add: the loop counts in an odd one. */
#define EC_ADD_SIXTEEN                                                                                                \
    "vldrb.u8 q0, [%[pixel0]], #16\n\t"                                                                               \
    "vldrb.u8 q1, [%[pixel1]], #16\n\t"                                                                               \
    "vldrb.u8 q2, [%[weights]], #16\n\t"                                                                              \
    "vldrb.u8 q3, [%[weights]], #16\n\t"                                                                              \
    "vmladava.s8 r0, q0, q2\n\t"                                                                                      \
    "vmladava.s8 r8, q1, q2\n\t"                                                                                      \
    "vldrb.u8 q2, [%[weights]], #16\n\t"                                                                              \
    "vmladava.s8 r2, q0, q3\n\t"                                                                                      \
    "vmladava.s8 r10, q1, q3\n\t"                                                                                     \
    "vldrb.u8 q3, [%[weights]], #16\n\t"                                                                              \
    "vmladava.s8 r4, q0, q2\n\t"                                                                                      \
    "vmladava.s8 r12, q1, q2\n\t"                                                                                     \
    "vmladava.s8 r6, q0, q3\n\t"                                                                                      \
    "vmladava.s8 lr, q1, q3\n\t"

/* VRSHL rounds half up; less 1, a negative number is rounded half away from zero. */
#define EC_ROUND_AWAY(sums)                                                                                           \
    "vshr.s32 q2, " sums ", #31\n\t"                                                                                  \
    "vadd.i32 " sums ", " sums ", q2\n\t"

/* All channels of two pixels. The steps of 16 are unrolled by two, and odd numbers of them begin with the second. At
 * the end 16 bits of the one pixel lie beside 16 bits of the other. Every register is used: what the loop has no room for
 * is pushed, and r7, which may be the compiler's frame pointer, with it. The stack then holds zero point, next, vectors,
 * r7, run and the end of the parameters. */
#define EC_TWO_PIXELS(ROUND)                                                                                          \
    "push {r2, r4, r6, r7, r8, r10}\n"                                                                                \
    "0:\n\t"                                                                                                          \
    "ldm %[params], {r0, r2, r4, r6}\n\t"                                                                             \
    "ldm %[params]!, {r8, r10, r12, lr}\n\t"                                                                          \
    "ldr r7, [sp, #8]\n\t"                                                                                            \
    "tst r7, #1\n\t"                                                                                                  \
    "bne 2f\n"                                                                                                        \
    "1:\n\t" EC_ADD_SIXTEEN                                                                                           \
    "2:\n\t" EC_ADD_SIXTEEN                                                                                           \
    "subs r7, r7, #2\n\t"                                                                                             \
    "bgt 1b\n\t"                                                                                                      \
    "vldrw.u32 q6, [%[params]], #16\n\t"                                                                              \
    "vldrw.u32 q7, [%[params]], #16\n\t"                                                                              \
    "vmov d0, r0, r2\n\t"                                                                                             \
    "vmov d1, r4, r6\n\t"                                                                                             \
    "vmov d2, r8, r10\n\t"                                                                                            \
    "vmov d3, r12, lr\n\t"                                                                                            \
    "vqrdmulh.s32 q0, q0, q6\n\t"                                                                                     \
    "vqrdmulh.s32 q1, q1, q6\n\t"                                                                                     \
    ROUND("q0") ROUND("q1")                                                                                           \
    "vrshl.s32 q0, q0, q7\n\t"                                                                                        \
    "vrshl.s32 q1, q1, q7\n\t"                                                                                        \
    "ldrd r0, r2, [sp]\n\t"                                                                                           \
    "ldrd r4, r6, [sp, #16]\n\t"                                                                                      \
    "add r2, r2, %[out]\n\t"                                                                                          \
    "vqmovnb.s32 q0, q0\n\t"                                                                                          \
    "vqmovnt.s32 q0, q1\n\t"                                                                                          \
    "vqadd.s16 q0, q0, r0\n\t"                                                                                        \
    "vqmovnb.s16 q0, q0\n\t"                                                                                          \
    "vstrb.32 q0, [%[out]], #4\n\t"                                                                                   \
    "vshr.u32 q0, q0, #16\n\t"                                                                                        \
    "vstrb.32 q0, [r2]\n\t"                                                                                           \
    "sub %[pixel0], %[pixel0], r4\n\t"                                                                                \
    "sub %[pixel1], %[pixel1], r4\n\t"                                                                                \
    "cmp %[params], r6\n\t"                                                                                           \
    "bne 0b\n\t"                                                                                                      \
    "pop {r2, r4, r6, r7, r8, r10}"

/* The same for one pixel, whose four sums leave the loop its register. */
#define EC_ONE_PIXEL(ROUND)                                                                                           \
    "0:\n\t"                                                                                                          \
    "ldm %[params]!, {r0, r2, r4, r6}\n\t"                                                                            \
    "dls lr, %[vectors]\n"                                                                                            \
    "1:\n\t"                                                                                                          \
    "vldrb.u8 q0, [%[pixel]], #16\n\t"                                                                                \
    "vldrb.u8 q2, [%[weights]], #16\n\t"                                                                              \
    "vldrb.u8 q3, [%[weights]], #16\n\t"                                                                              \
    "vmladava.s8 r0, q0, q2\n\t"                                                                                      \
    "vldrb.u8 q2, [%[weights]], #16\n\t"                                                                              \
    "vmladava.s8 r2, q0, q3\n\t"                                                                                      \
    "vldrb.u8 q3, [%[weights]], #16\n\t"                                                                              \
    "vmladava.s8 r4, q0, q2\n\t"                                                                                      \
    "vmladava.s8 r6, q0, q3\n\t"                                                                                      \
    "le lr, 1b\n\t"                                                                                                   \
    "vldrw.u32 q6, [%[params]], #16\n\t"                                                                              \
    "vldrw.u32 q7, [%[params]], #16\n\t"                                                                              \
    "vmov d0, r0, r2\n\t"                                                                                             \
    "vmov d1, r4, r6\n\t"                                                                                             \
    "vqrdmulh.s32 q0, q0, q6\n\t"                                                                                     \
    ROUND("q0")                                                                                                       \
    "vrshl.s32 q0, q0, q7\n\t"                                                                                        \
    "vqmovnb.s32 q0, q0\n\t"                                                                                          \
    "vqadd.s16 q0, q0, %[zero_point]\n\t"                                                                             \
    "vqmovnb.s16 q0, q0\n\t"                                                                                          \
    "vstrb.32 q0, [%[out]], #4\n\t"                                                                                   \
    "sub %[pixel], %[pixel], %[run]\n\t"                                                                              \
    "subs %[groups], %[groups], #1\n\t"                                                                               \
    "bne 0b"

/* Addresses are in odd registers, that of a VSTRB of words in a low one; compilers do not find such an order. */
static EC_OUT_OF_LINE void ec_conv_2d_dots_two(
    const struct ec_conv_2d_dots *layer, int8_t *to, const int8_t *first, const int8_t *second)
{
    register int8_t *out __asm__("r3") = to;
    register const int8_t *pixel0 __asm__("r9") = first;
    register const int8_t *pixel1 __asm__("r11") = second;
    register const int8_t *weights __asm__("r5") = layer->weights;
    register const int32_t *params __asm__("r1") = layer->channels;
    register int32_t zero_point __asm__("r2") = layer->out_zero_point;
    register int32_t next __asm__("r4") = layer->out_channels; /* bytes to the second pixel of the output */
    register int32_t vectors __asm__("r6") = layer->vectors;
    register int32_t run __asm__("r8") = 16 * layer->vectors; /* bytes that a filter sees */
    register const int32_t *end __asm__("r10") = layer->channels + 3 * layer->out_channels;

    __asm__ volatile(EC_TWO_PIXELS(EC_ROUND_AWAY)
                     : [pixel0] "+&r"(pixel0), [pixel1] "+&r"(pixel1), [weights] "+&r"(weights), [params] "+&r"(params),
                       [out] "+&r"(out), "+&r"(zero_point), "+&r"(next), "+&r"(vectors), "+&r"(run), "+&r"(end)
                     :
                     : "r0", "r12", "lr", "cc", "memory", EC_VECTORS_0_TO_3, EC_VECTORS_5_TO_7);
}

static EC_OUT_OF_LINE void ec_conv_2d_dots_one(const struct ec_conv_2d_dots *layer, int8_t *to, const int8_t *pixel)
{
    register int8_t *out __asm__("r3") = to;
    const int8_t *weights = layer->weights;
    const int32_t *params = layer->channels;
    int32_t groups = layer->out_channels / 4; /* counted: the weights may begin where these end, and share a register */

    __asm__ volatile(EC_ONE_PIXEL(EC_ROUND_AWAY)
                     : [pixel] "+&r"(pixel), [weights] "+&r"(weights), [params] "+&r"(params), [out] "+&r"(out),
                       [groups] "+&r"(groups)
                     : [vectors] "r"(layer->vectors), [run] "r"(16 * layer->vectors),
                       [zero_point] "r"(layer->out_zero_point)
                     : "r0", "r2", "r4", "r6", "lr", "cc", "memory", EC_VECTORS_0_TO_3, EC_VECTORS_5_TO_7);
}

/* A row of the output from one whose pixels lie `step` bytes apart. */
static EC_OUT_OF_LINE void ec_conv_2d_dots_row(const struct ec_conv_2d_dots *layer, int8_t *out, const int8_t *pixel)
{
    const int32_t step = layer->step, channels = layer->out_channels;
    int32_t left;

    for (left = layer->out_width; left > 1; left -= 2) {
        ec_conv_2d_dots_two(layer, out, pixel, pixel + step);
        pixel += 2 * step;
        out += 2 * channels;
    }
    if (left > 0) {
        ec_conv_2d_dots_one(layer, out, pixel);
        out += channels;
    }
    if (layer->low > -128 || layer->high < 127) {
        const int32_t count = layer->out_width * channels;
        ec_clamp_row(out - count, count, layer->low, layer->high);
    }
}

/* Up to 16 channels of each pixel. */
#define EC_COPY_PIXELS                                                                                                \
    "vctp.8 %[channels]\n\t"                                                                                          \
    "dls lr, %[width]\n"                                                                                              \
    "1:\n\t"                                                                                                          \
    "vpstt\n\t"                                                                                                       \
    "vldrbt.u8 q0, [%[in]]\n\t"                                                                                       \
    "vstrbt.8 q0, [%[out]]\n\t"                                                                                       \
    "add %[in], %[in], %[depth]\n\t"                                                                                  \
    "add %[out], %[out], %[column]\n\t"                                                                               \
    "le lr, 1b"

/* columns: [before][in_width][kernel_h][depth][after]. */
static EC_OUT_OF_LINE void ec_conv_2d_dots_columns(
    const struct ec_conv_2d_dots *layer, int8_t *columns, const int8_t *const *in)
{
    const int32_t depth = layer->depth, kernel_h = layer->kernel_h, column = kernel_h * depth;
    int32_t ky, c;

    ec_fill_bytes(columns, layer->in_zero_point, layer->before);
    columns += layer->before;
    ec_fill_bytes(columns + layer->in_width * column, layer->in_zero_point, layer->after);
    for (ky = 0; ky < kernel_h; ky++, columns += depth) {
        if (in[ky] == NULL) {
            for (c = 0; c < layer->in_width; c++) {
                ec_fill_bytes(columns + c * column, layer->in_zero_point, depth);
            }
            continue;
        }
        for (c = 0; c < depth; c += 16) {
            const int8_t *from = in[ky] + c;
            int8_t *to = columns + c;
            __asm__ volatile(EC_COPY_PIXELS
                             : [out] "+&r"(to), [in] "+&r"(from)
                             : [width] "r"(layer->in_width), [channels] "r"(depth - c), [depth] "r"(depth),
                               [column] "r"(column)
                             : "lr", "cc", "memory", "d0", "d1");
        }
    }
}

/* out: [out_width][out_channels]; in: kernel_h rows of in_width pixels; scratch: the columns. */
static inline void ec_conv_2d_dots(
    const struct ec_conv_2d_dots *layer, int8_t *out, const int8_t *const *in, void *scratch)
{
    ec_conv_2d_dots_columns(layer, (int8_t *)scratch, in);
    ec_conv_2d_dots_row(layer, out, (const int8_t *)scratch);
}

/* The same where a filter sees a pixel, of a multiple of 16 channels: the row needs no copy. */
static inline void ec_conv_2d_dots_in_place(const struct ec_conv_2d_dots *layer, int8_t *out, const int8_t *const *in)
{
    ec_conv_2d_dots_row(layer, out, in[0]);
}

#endif
