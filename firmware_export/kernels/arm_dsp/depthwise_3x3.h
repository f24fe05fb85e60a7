/* DEPTHWISE_CONV_2D, 3x3 with multiplier 1, stride 1 or 2 along the row, int8, per channel, for the DSP extension.
 * Four channels of three rows at a time are brought to 16 bits, in columns, and each channel then walks over them with
 * its taps in registers: a column is loaded once. NULL stands for a row of padding. All is assembly, because it takes
 * every register, and several at a time. */
#ifndef EDGECNN_DEPTHWISE_3X3_H
#define EDGECNN_DEPTHWISE_3X3_H

#include "fixed_point.h"
#include "out_of_line.h"
#include "simd.h"

struct ec_depthwise_3x3 {
    const int32_t *taps; /* [channels, up to a multiple of 4][9 or 8], see EC_CHANNEL; the last four overlap */
    int32_t in_width, out_width, channels;
    int32_t before, after; /* columns of padding */
    int32_t in_zero_point;
    int32_t results;   /* out_width and what the loop computes beside that */
    int32_t dropped;   /* of those, in front */
    int32_t reach;     /* columns that a channel loads for them */
    int32_t rounds;    /* of the loop, 1 or more */
    int32_t low, high; /* of the fused activation */
};

/* What the assembly works with, which it takes to the stack: at these distances from sp. */
struct ec_depthwise_3x3_state {
    const int8_t *rows[3]; /* 0: behind the last pixel */
    int32_t at;            /* 12: from there to four channels of the first pixel */
    int32_t *image;        /* 16: the image's first column */
    int32_t channels;      /* 20 */
    int32_t back[2];       /* 24: from behind a channel's last column, and result, to the next channel's first */
    int32_t *columns;      /* 32: [before + in_width + after][4][2]: rows 0 and 1 as halfwords, row 2 */
    int8_t *bytes;         /* 36: [results][4] */
    const int8_t *kept;    /* 40: results that are wanted */
    int8_t *out;           /* 44: behind the last pixel */
    const int32_t *taps;   /* 48: of the channel that comes next */
    int32_t out_at;        /* 52: from `out` to four channels of the first pixel */
    int32_t rounds;        /* 56 */
    const int32_t *end;    /* 60: the column behind those of the loop */
};

/* r7 may be the compiler's frame pointer: it is saved here. */
#define EC_DEPTHWISE_3X3_BEGIN                                                                                        \
    "add r1, r0, #52\n\t"                                                                                             \
    "ldm r1, {r2, r3, r4}\n\t"                                                                                        \
    "push {r2, r3, r4, r7}\n\t"                                                                                       \
    "ldm r0, {r0-r12}\n\t"                                                                                            \
    "push {r0-r12}\n"

/* A column of four channels: 18 instructions for 12 numbers. r4 to r11 become its words. */
#define EC_DEPTHWISE_3X3_WIDEN                                                                                        \
    "0:\n\t"                                                                                                          \
    "ldm sp, {r0, r1, r2, r3, r12, lr}\n"                                                                             \
    "1:\n\t"                                                                                                          \
    "ldr r10, [r0, r3]\n\t"                                                                                           \
    "ldr r11, [r1, r3]\n\t"                                                                                           \
    "sxtb16 r8, r10\n\t"                                                                                              \
    "sxtb16 r9, r11\n\t"                                                                                              \
    "pkhbt r4, r8, r9, lsl #16\n\t"                                                                                   \
    "pkhtb r8, r9, r8, asr #16\n\t"                                                                                   \
    "sxtb16 r9, r10, ror #8\n\t"                                                                                      \
    "sxtb16 r11, r11, ror #8\n\t"                                                                                     \
    "pkhbt r6, r9, r11, lsl #16\n\t"                                                                                  \
    "pkhtb r10, r11, r9, asr #16\n\t"                                                                                 \
    "ldr r11, [r2, r3]\n\t"                                                                                           \
    "sxtb r5, r11\n\t"                                                                                                \
    "sxtb r7, r11, ror #8\n\t"                                                                                        \
    "sxtb r9, r11, ror #16\n\t"                                                                                       \
    "asr r11, r11, #24\n\t"                                                                                           \
    "stmia r12!, {r4-r11}\n\t"                                                                                        \
    "adds r3, r3, lr\n\t"                                                                                             \
    "bmi 1b\n\t"                                                                                                      \
    "ldrd r0, lr, [sp, #32]\n"

/* From here on: r0 the next column, r1 and r2 the present one, r3 (and r12) sums, lr the next result. r4 to r11 are of
 * the channel: taps of rows 0 and 1, left, middle, right; of row 2, left and middle; r8 the last tap and more; bias,
 * multiplier, rounding. With stride 1, r3 begins with the bias and what a column of padding adds from the left. */
#define EC_CHANNEL(registers) "2:\n\tldr r1, [sp, #48]\n\tldmia r1!, {" registers "}\n\tstr r1, [sp, #48]\n\t"
#define EC_COLUMN "ldrd r1, r2, [r0], #32\n\t"
#define EC_LEFT(sum) "smlad " sum ", r1, r4, r9\n\tsmlabb " sum ", r2, r7, " sum "\n\t"
#define EC_MIDDLE(sum) "smlad " sum ", r1, r5, " sum "\n\tsmlabt " sum ", r2, r7, " sum "\n\t"
#define EC_RIGHT(sum, half) "smlad " sum ", r1, r6, " sum "\n\tsmlab" half " " sum ", r2, r8, " sum "\n\t"
#define EC_CHANNEL_END(flag)                                                                                          \
    "5:\n\t"                                                                                                          \
    "ldrd r1, r2, [sp, #24]\n\t"                                                                                      \
    "subs r0, r0, r1\n\t"                                                                                             \
    "subs lr, lr, r2\n\t"                                                                                             \
    "tst r8, #" flag "\n\t"                                                                                           \
    "beq 2b\n\t"                                                                                                      \
    "ldrd r1, r2, [sp, #40]\n\t"                                                                                      \
    "ldr r0, [sp, #52]\n\t"                                                                                           \
    "ldr r3, [sp, #20]\n"                                                                                             \
    "6:\n\t"                                                                                                          \
    "ldr r4, [r1], #4\n\t"                                                                                            \
    "str r4, [r2, r0]\n\t"                                                                                            \
    "adds r0, r0, r3\n\t"                                                                                             \
    "bmi 6b\n\t"                                                                                                      \
    "subs r3, r3, #4\n\t"   /* r0 is now the first of these four channels: are there others behind them? */           \
    "subs r3, r3, r0\n\t"                                                                                             \
    "beq 7f\n\t"                                                                                                      \
    "cmp r3, #4\n\t"                                                                                                  \
    "it gt\n\t"                                                                                                       \
    "movgt r3, #4\n\t"                                                                                                \
    "ldr r0, [sp, #12]\n\t"                                                                                           \
    "add r0, r0, r3\n\t"                                                                                              \
    "str r0, [sp, #12]\n\t"                                                                                           \
    "ldr r0, [sp, #52]\n\t"                                                                                           \
    "add r0, r0, r3\n\t"                                                                                              \
    "str r0, [sp, #52]\n\t"                                                                                           \
    "b 0b\n"                                                                                                          \
    "7:\n\t"                                                                                                          \
    "add sp, sp, #64\n\t"                                                                                             \
    "pop {r7}\n\t"

/* The activation cuts off all that is below the zero point: so it does not matter how negative sums are rounded. Taps
 * and bias are larger by what brings the sums of all channels to the same shift; r11 has all that is added to round.
 * r8: the last tap; bit 16 for an even width, bit 17 for the last channel of four, then rounds less 1. */
#define EC_RIGHT_RECTIFIED(sum)                                                                                       \
    EC_RIGHT(sum, "b")                                                                                                \
    "smmla " sum ", " sum ", r10, r11\n\t"                                                                            \
    "ssat " sum ", #8, " sum ", asr #10\n\t"                                                                          \
    "strb " sum ", [lr], #4\n\t"

/* Any sums, doubled by their taps: a negative one loses 1 before it is rounded for the second time (see requantize.h).
 * r8: the shift; bit 8 for an even width, bit 9 for the last channel of four; the last tap above. */
#define EC_RIGHT_SIGNED(sum)                                                                                          \
    EC_RIGHT(sum, "t")                                                                                                \
    "smmulr " sum ", " sum ", r10\n\t"                                                                                \
    "add " sum ", " sum ", " sum ", asr #31\n\t"                                                                      \
    "add " sum ", " sum ", r11\n\t"                                                                                   \
    "asr " sum ", " sum ", r8\n\t"                                                                                    \
    "ssat " sum ", #8, " sum "\n\t"                                                                                   \
    "strb " sum ", [lr], #4\n\t"

/* Two outputs a round; the last one or two need no more columns than their own. */
#define EC_DEPTHWISE_3X3_STRIDE_1(RIGHT, begin, again, even, last)                                                    \
    EC_CHANNEL("r3-r11")                                                                                              \
    EC_COLUMN EC_MIDDLE("r3") EC_LEFT("r12")                                                                          \
    begin                                                                                                             \
    "3:\n\t"                                                                                                          \
    EC_COLUMN RIGHT("r3") EC_MIDDLE("r12") EC_LEFT("r3")                                                              \
    EC_COLUMN RIGHT("r12") EC_MIDDLE("r3") EC_LEFT("r12")                                                             \
    again                                                                                                             \
    EC_COLUMN RIGHT("r3")                                                                                             \
    "tst r8, #" even "\n\t"                                                                                           \
    "beq 5f\n\t"                                                                                                      \
    EC_MIDDLE("r12")                                                                                                  \
    EC_COLUMN RIGHT("r12")                                                                                            \
    EC_CHANNEL_END(last)

#define EC_COUNT_IN_TAP "subs r8, r8, #0x40000\n\tbcs 3b\n\t"
#define EC_COUNT_COLUMNS "ldr r1, [sp, #60]\n\tcmp r0, r1\n\tbne 3b\n\t"
#define EC_FIND_END "ldr r1, [sp, #56]\n\tadd r1, r0, r1, lsl #6\n\tstr r1, [sp, #60]\n\t"

/* An output a round: the column between two windows is the right one of the first and the left one of the second. */
#define EC_DEPTHWISE_3X3_STRIDE_2(RIGHT, last)                                                                        \
    EC_CHANNEL("r4-r11")                                                                                              \
    "ldr r12, [sp, #56]\n\t"                                                                                          \
    EC_COLUMN EC_LEFT("r3")                                                                                           \
    EC_COLUMN EC_MIDDLE("r3")                                                                                         \
    "3:\n\t"                                                                                                          \
    EC_COLUMN RIGHT("r3") EC_LEFT("r3")                                                                               \
    EC_COLUMN EC_MIDDLE("r3")                                                                                         \
    "subs r12, r12, #1\n\t"                                                                                           \
    "bne 3b\n\t"                                                                                                      \
    EC_COLUMN RIGHT("r3")                                                                                             \
    EC_CHANNEL_END(last)

/* Columns and rows of padding, and where all lies. */
static EC_OUT_OF_LINE void ec_depthwise_3x3_begin(
    const struct ec_depthwise_3x3 *layer,
    struct ec_depthwise_3x3_state *state,
    int8_t *out,
    const int8_t *const *in,
    void *scratch)
{
    const int32_t zero = layer->in_zero_point, size = layer->in_width * layer->channels;
    const int32_t pair = (int32_t)((uint32_t)zero << 16 | ((uint32_t)zero & 0xFFFFu));
    int32_t *word = (int32_t *)scratch;
    int8_t *row;
    int32_t i;

    state->columns = word;
    state->image = word + 8 * layer->before;
    for (i = 4 * (layer->before + layer->after); i > 0; i--) {
        if (i == 4 * layer->after) {
            word = state->image + 8 * layer->in_width;
        }
        *word++ = pair;
        *word++ = zero;
    }
    word = state->image + 8 * (layer->in_width + layer->after);
    state->bytes = (int8_t *)word;
    row = state->bytes + 4 * layer->results;
    if (in[0] == NULL || in[1] == NULL || in[2] == NULL) {
        memset(row, (int)zero, (size_t)size);
    }
    for (i = 0; i < 3; i++) {
        state->rows[i] = (in[i] != NULL ? in[i] : row) + size;
    }
    state->at = -size;
    state->channels = layer->channels;
    state->back[0] = 32 * layer->reach - 8;
    state->back[1] = 4 * layer->results - 1;
    state->rounds = layer->rounds;
    state->taps = layer->taps;
    state->kept = state->bytes + 4 * layer->dropped;
    state->out_at = -layer->out_width * layer->channels;
    state->out = out - state->out_at;
}

/* out: [out_width][channels]; in: 3 rows of [in_width][channels]; scratch: columns, results, and a row of
 * padding where there may be one. */
#define EC_DEPTHWISE_3X3_KERNEL(name, channels_text)                                                                  \
    static EC_OUT_OF_LINE void name(                                                                                  \
        const struct ec_depthwise_3x3 *layer, int8_t *out, const int8_t *const *in, void *scratch)                    \
    {                                                                                                                 \
        struct ec_depthwise_3x3_state state;                                                                          \
        register struct ec_depthwise_3x3_state *r0 __asm__("r0");                                                     \
                                                                                                                      \
        ec_depthwise_3x3_begin(layer, &state, out, in, scratch);                                                      \
        r0 = &state;                                                                                                  \
        __asm__ volatile(EC_DEPTHWISE_3X3_BEGIN EC_DEPTHWISE_3X3_WIDEN channels_text                                  \
                         : "+r"(r0)                                                                                   \
                         :                                                                                            \
                         : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");\
        ec_clamp_all(out, layer->out_width * layer->channels, layer->low, layer->high);                               \
    }

EC_DEPTHWISE_3X3_KERNEL(
    ec_depthwise_3x3_rectified,
    EC_DEPTHWISE_3X3_STRIDE_1(EC_RIGHT_RECTIFIED, "", EC_COUNT_IN_TAP, "0x10000", "0x20000"))
EC_DEPTHWISE_3X3_KERNEL(
    ec_depthwise_3x3_signed,
    EC_DEPTHWISE_3X3_STRIDE_1(EC_RIGHT_SIGNED, EC_FIND_END, EC_COUNT_COLUMNS, "0x100", "0x200"))
EC_DEPTHWISE_3X3_KERNEL(
    ec_depthwise_3x3_stride_2_rectified, EC_DEPTHWISE_3X3_STRIDE_2(EC_RIGHT_RECTIFIED, "0x20000"))
EC_DEPTHWISE_3X3_KERNEL(ec_depthwise_3x3_stride_2_signed, EC_DEPTHWISE_3X3_STRIDE_2(EC_RIGHT_SIGNED, "0x200"))

#endif
