/* DEPTHWISE_CONV_2D, 3x3 with multiplier 1, stride 1 or 2 along the row, int8, per channel, for Helium. Three rows of
 * 16 channels at a time are interleaved: the three numbers of a column that a channel sees become a word, and what it
 * sees of three columns is gathered into a vector, times its taps in an instruction. NULL stands for a row of
 * padding. */
#ifndef EDGECNN_DEPTHWISE_DOTS_H
#define EDGECNN_DEPTHWISE_DOTS_H

#include "helium.h"

#define EC_CHANNELS_OF_COLUMN 16
#define EC_COLUMN_BYTES (4 * EC_CHANNELS_OF_COLUMN)

struct ec_depthwise_dots {
    const int32_t *channels; /* [channels / 4][28]: bias with the zero point, multiplier, minus right shift, each of 4
                                channels, and of each the taps as int8 [4 columns][4 rows] */
    int32_t in_width, out_width, depth; /* depth: the channels, a multiple of 4 */
    int32_t before, columns;            /* columns of padding on the left, and all columns */
    int32_t in_zero_point, out_zero_point;
    int32_t low, high; /* of the fused activation */
};

/* Words of a column: 12 instructions for 48 numbers. Stores of four vectors, of which the last may be anything: the
 * taps for it are zeros. Channels that are not there are not read. */
#define EC_INTERLEAVE_ROWS                                                                                            \
    "vctp.8 %[channels]\n\t"                                                                                          \
    "dls lr, %[width]\n"                                                                                              \
    "1:\n\t"                                                                                                          \
    "vpsttt\n\t"                                                                                                      \
    "vldrbt.u8 q0, [%[row0]]\n\t"                                                                                     \
    "vldrbt.u8 q1, [%[row1]]\n\t"                                                                                     \
    "vldrbt.u8 q2, [%[row2]]\n\t"                                                                                     \
    "vst40.8 {q0, q1, q2, q3}, [%[column]]\n\t"                                                                       \
    "vst41.8 {q0, q1, q2, q3}, [%[column]]\n\t"                                                                       \
    "vst42.8 {q0, q1, q2, q3}, [%[column]]\n\t"                                                                       \
    "vst43.8 {q0, q1, q2, q3}, [%[column]]!\n\t"                                                                      \
    "add %[row0], %[row0], %[next0]\n\t"                                                                              \
    "add %[row1], %[row1], %[next1]\n\t"                                                                              \
    "add %[row2], %[row2], %[next2]\n\t"                                                                              \
    "le lr, 1b"

/* Columns of `channels` of 16 channels, the first of them at in[…] + channel. */
static EC_OUT_OF_LINE void ec_depthwise_dots_columns(
    const struct ec_depthwise_dots *layer, int8_t *columns, const int8_t *const *in, int32_t channel, int32_t channels)
{
    const int32_t depth = layer->depth, after = layer->columns - layer->before - layer->in_width;
    int8_t *const padding = columns + layer->columns * EC_COLUMN_BYTES; /* a pixel of it */
    const int8_t *rows[3];
    int32_t next[3], ky;
    int8_t *column;

    ec_fill_bytes(padding, layer->in_zero_point, EC_CHANNELS_OF_COLUMN);
    for (ky = 0; ky < 3; ky++) {
        rows[ky] = in[ky] == NULL ? padding : in[ky] + channel;
        next[ky] = in[ky] == NULL ? 0 : depth;
    }
    ec_fill_bytes(columns, layer->in_zero_point, layer->before * EC_COLUMN_BYTES);
    column = columns + layer->before * EC_COLUMN_BYTES;
    __asm__ volatile(EC_INTERLEAVE_ROWS
                     : [row0] "+&r"(rows[0]), [row1] "+&r"(rows[1]), [row2] "+&r"(rows[2]), [column] "+&r"(column)
                     : [next0] "r"(next[0]), [next1] "r"(next[1]), [next2] "r"(next[2]), [width] "r"(layer->in_width),
                       [channels] "r"(channels)
                     : "lr", "cc", "memory", EC_VECTORS_0_TO_3);
    ec_fill_bytes(column, layer->in_zero_point, after * EC_COLUMN_BYTES);
}

/* VRSHL rounds half up; less 1, a negative number is rounded half away from zero. */
#define EC_LESS_ONE_IF_NEGATIVE                                                                                       \
    "vpt.s32 lt, q5, zr\n\t"                                                                                          \
    "vaddt.i32 q5, q5, %[minus_one]\n\t"

/* Four channels of all pixels: 21 instructions for four results. q0 to q3: taps; q6, q7: multipliers, minus shifts; the
 * addresses move on by a pixel before the first gather. VQRDMULH is gemmlowp's first rounding. */
#define EC_FOUR_CHANNELS(bytes, ROUND)                                                                                \
    "vldrw.u32 q6, [%[params], #16]\n\t"                                                                              \
    "vldrw.u32 q7, [%[params], #32]\n\t"                                                                              \
    "vldrw.u32 q0, [%[params], #48]\n\t"                                                                              \
    "vldrw.u32 q1, [%[params], #64]\n\t"                                                                              \
    "vldrw.u32 q2, [%[params], #80]\n\t"                                                                              \
    "vldrw.u32 q3, [%[params], #96]\n\t"                                                                              \
    "dls lr, %[width]\n"                                                                                              \
    "1:\n\t"                                                                                                          \
    "ldm %[params], {r0, r2, r4, r6}\n\t"                                                                             \
    "vldrw.u32 q5, [q4, #" bytes "]!\n\t"                                                                             \
    "vmladava.s8 r0, q5, q0\n\t"                                                                                      \
    "vldrw.u32 q5, [q4, #4]\n\t"                                                                                      \
    "vmladava.s8 r2, q5, q1\n\t"                                                                                      \
    "vldrw.u32 q5, [q4, #8]\n\t"                                                                                      \
    "vmladava.s8 r4, q5, q2\n\t"                                                                                      \
    "vldrw.u32 q5, [q4, #12]\n\t"                                                                                     \
    "vmladava.s8 r6, q5, q3\n\t"                                                                                      \
    "vmov d10, r0, r2\n\t"                                                                                            \
    "vmov d11, r4, r6\n\t"                                                                                            \
    "vqrdmulh.s32 q5, q5, q6\n\t"                                                                                     \
    ROUND                                                                                                             \
    "vrshl.s32 q5, q5, q7\n\t"                                                                                        \
    "vqmovnb.s32 q5, q5\n\t"                                                                                          \
    "vqadd.s16 q5, q5, %[zero_point]\n\t"                                                                             \
    "vqmovnb.s16 q5, q5\n\t"                                                                                          \
    "vstrb.32 q5, [%[out]]\n\t"                                                                                       \
    "add %[out], %[out], %[depth]\n\t"                                                                                \
    "le lr, 1b"

/* A channel's words in the first three columns and one more, as seen from a pixel further to the left. */
static inline uint32x4_t ec_depthwise_dots_window(const int8_t *columns, int32_t stride)
{
    const uint32x4_t places = vshlq_n_u32(vidupq_n_u32(0, 4), 4);
    return vaddq_n_u32(places, (uint32_t)(uintptr_t)columns - (uint32_t)(stride * EC_COLUMN_BYTES));
}

#define EC_DEPTHWISE_DOTS(name, stride, bytes, ROUND)                                                                 \
    static EC_OUT_OF_LINE void name##_four(                                                                           \
        const struct ec_depthwise_dots *layer, int8_t *to, const int8_t *columns, const int32_t *params)              \
    {                                                                                                                 \
        register uint32x4_t window __asm__("q4") = ec_depthwise_dots_window(columns, stride);                         \
        register int8_t *out __asm__("r3") = to;                                                                      \
        __asm__ volatile(EC_FOUR_CHANNELS(bytes, ROUND)                                                               \
                         : "+&w"(window), [out] "+&r"(out)                                                            \
                         : [params] "r"(params), [width] "r"(layer->out_width), [depth] "r"(layer->depth),            \
                           [zero_point] "r"(layer->out_zero_point), [minus_one] "r"(-1)                               \
                         : "r0", "r2", "r4", "r6", "lr", "cc", "memory", EC_VECTORS_0_TO_3, EC_VECTORS_5_TO_7);       \
    }                                                                                                                 \
                                                                                                                      \
    static inline void name(                                                                                          \
        const struct ec_depthwise_dots *layer, int8_t *out, const int8_t *const *in, void *scratch)                   \
    {                                                                                                                 \
        const int32_t depth = layer->depth;                                                                           \
        const int32_t *params = layer->channels;                                                                      \
        const int8_t *columns = (const int8_t *)scratch;                                                              \
        int32_t c;                                                                                                    \
                                                                                                                      \
        for (c = 0; c < depth; c += 4, params += 28, columns += 16) {                                                 \
            if (c % EC_CHANNELS_OF_COLUMN == 0) {                                                                     \
                columns = (const int8_t *)scratch;                                                                    \
                ec_depthwise_dots_columns(layer, (int8_t *)scratch, in, c, depth - c);                                \
            }                                                                                                         \
            name##_four(layer, out + c, columns, params);                                                             \
        }                                                                                                             \
        if (layer->low > -128 || layer->high < 127) {                                                                 \
            ec_clamp_row(out, depth * layer->out_width, layer->low, layer->high);                                     \
        }                                                                                                             \
    }

/* out: [out_width][depth]; in: three rows of in_width pixels; scratch: the columns and a pixel. */
EC_DEPTHWISE_DOTS(ec_depthwise_dots_signed, 1, "64", EC_LESS_ONE_IF_NEGATIVE)
EC_DEPTHWISE_DOTS(ec_depthwise_dots_stride_2_signed, 2, "128", EC_LESS_ONE_IF_NEGATIVE)

/* The same where the activation cuts off what lies below the zero point: how negative numbers are rounded is lost. */
EC_DEPTHWISE_DOTS(ec_depthwise_dots_rectified, 1, "64", "")
EC_DEPTHWISE_DOTS(ec_depthwise_dots_stride_2_rectified, 2, "128", "")

#endif
