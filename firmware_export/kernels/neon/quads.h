/* Sums of 16 channels, four numbers (a quad) of each at a time: by the dot product, or without it. */
#ifndef EDGECNN_QUADS_H
#define EDGECNN_QUADS_H

#include "neon.h"

#if defined(__ARM_NEON)

#if defined(EC_DOT_PRODUCT)

#define EC_PIXELS 4 /* at a time: their sums are in 16 registers of 32 */
#define EC_EACH_PIXEL(text) text(0) text(1) text(2) text(3)

/* Of a pixel. */
struct ec_sums {
    struct ec_sixteen of_channels;
};

static EC_INLINE struct ec_sums ec_begin_sums(const int32_t *bias)
{
    struct ec_sums sums;

    sums.of_channels = ec_load_sixteen(bias);
    return sums;
}

static EC_INLINE struct ec_sixteen ec_total(struct ec_sums sums, const int32_t *bias)
{
    (void)bias;
    return sums.of_channels;
}

#define EC_ADD_QUAD(sums, weights, numbers, quad)                                                                     \
    (sums).of_channels.v0 = vdotq_laneq_s32((sums).of_channels.v0, (weights).val[0], numbers, quad);                  \
    (sums).of_channels.v1 = vdotq_laneq_s32((sums).of_channels.v1, (weights).val[1], numbers, quad);                  \
    (sums).of_channels.v2 = vdotq_laneq_s32((sums).of_channels.v2, (weights).val[2], numbers, quad);                  \
    (sums).of_channels.v3 = vdotq_laneq_s32((sums).of_channels.v3, (weights).val[3], numbers, quad)

/* Two quads of 16 numbers, the even one and the next, times the weights of 16 channels for each. */
#define EC_ADD_QUADS(sums, weights0, weights1, numbers, even)                                                         \
    EC_ADD_QUAD(sums, weights0, numbers, even);                                                                       \
    EC_ADD_QUAD(sums, weights1, numbers, (even) + 1)

/* gcc takes four instructions more for this loop of 74. v0 to v3 and v8 to v11 are weights of a quad and the next, v4
 * to v7 sixteen numbers of each pixel. */
#define EC_DOT_QUAD(w0, w1, w2, w3, quad)                                                                             \
    EC_DOT_FOUR(a0, b0, c0, d0, w0, quad)                                                                             \
    EC_DOT_FOUR(a1, b1, c1, d1, w1, quad)                                                                             \
    EC_DOT_FOUR(a2, b2, c2, d2, w2, quad)                                                                             \
    EC_DOT_FOUR(a3, b3, c3, d3, w3, quad)

#define EC_DOT_FOUR(a, b, c, d, weights, quad)                                                                        \
    "sdot %[" #a "].4s, " weights ".16b, v4.4b[" quad "]\n\t"                                                         \
    "sdot %[" #b "].4s, " weights ".16b, v5.4b[" quad "]\n\t"                                                         \
    "sdot %[" #c "].4s, " weights ".16b, v6.4b[" quad "]\n\t"                                                         \
    "sdot %[" #d "].4s, " weights ".16b, v7.4b[" quad "]\n\t"

#define EC_LOAD_BIAS(v0, v1, v2, v3)                                                                                  \
    "ldp %q[" #v0 "], %q[" #v1 "], [%[bias]]\n\t"                                                                     \
    "ldp %q[" #v2 "], %q[" #v3 "], [%[bias], #32]\n\t"

/* Four pixels. */
static EC_INLINE void ec_dot_pixels(
    struct ec_sums *sums, const int8_t *pixel0, int32_t step, int32_t run, const int8_t *weights, const int32_t *bias)
{
    const int8_t *const end = pixel0 + run;
    const int8_t *pixel1 = pixel0 + step, *pixel2 = pixel1 + step, *pixel3 = pixel2 + step;
    struct ec_sixteen a, b, c, d;

    __asm__ volatile(EC_LOAD_BIAS(a0, a1, a2, a3) EC_LOAD_BIAS(b0, b1, b2, b3)
                     EC_LOAD_BIAS(c0, c1, c2, c3) EC_LOAD_BIAS(d0, d1, d2, d3)
                     "1:\n\t"
                     "ld1 {v0.16b-v3.16b}, [%[weights]], #64\n\t"
                     "ldr q4, [%[pixel0]], #16\n\t"
                     "ldr q5, [%[pixel1]], #16\n\t"
                     "ldr q6, [%[pixel2]], #16\n\t"
                     "ldr q7, [%[pixel3]], #16\n\t"
                     "ld1 {v8.16b-v11.16b}, [%[weights]], #64\n\t"
                     EC_DOT_QUAD("v0", "v1", "v2", "v3", "0")
                     "ld1 {v0.16b-v3.16b}, [%[weights]], #64\n\t"
                     EC_DOT_QUAD("v8", "v9", "v10", "v11", "1")
                     "ld1 {v8.16b-v11.16b}, [%[weights]], #64\n\t"
                     EC_DOT_QUAD("v0", "v1", "v2", "v3", "2")
                     "cmp %[pixel0], %[end]\n\t"
                     EC_DOT_QUAD("v8", "v9", "v10", "v11", "3")
                     "b.ne 1b"
                     : [a0] "=&w"(a.v0), [a1] "=&w"(a.v1), [a2] "=&w"(a.v2), [a3] "=&w"(a.v3),
                       [b0] "=&w"(b.v0), [b1] "=&w"(b.v1), [b2] "=&w"(b.v2), [b3] "=&w"(b.v3),
                       [c0] "=&w"(c.v0), [c1] "=&w"(c.v1), [c2] "=&w"(c.v2), [c3] "=&w"(c.v3),
                       [d0] "=&w"(d.v0), [d1] "=&w"(d.v1), [d2] "=&w"(d.v2), [d3] "=&w"(d.v3),
                       [pixel0] "+&r"(pixel0), [pixel1] "+&r"(pixel1), [pixel2] "+&r"(pixel2), [pixel3] "+&r"(pixel3),
                       [weights] "+&r"(weights)
                     : [bias] "r"(bias), [end] "r"(end)
                     : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "cc", "memory");
    sums[0].of_channels = a;
    sums[1].of_channels = b;
    sums[2].of_channels = c;
    sums[3].of_channels = d;
}

#else

#if defined(__aarch64__)
#define EC_PIXELS 2 /* at a time: their sums are in 16 registers of 32 */
#define EC_EACH_PIXEL(text) text(0) text(1)
#else
#define EC_PIXELS 1 /* 8 registers of 16 */
#endif

/* Of a pixel: two of each channel beside each other. */
struct ec_sums {
    struct ec_sixteen low, high; /* channels 0, 1 and 2, 3 of each four */
};

static EC_INLINE struct ec_sums ec_begin_sums(const int32_t *bias)
{
    struct ec_sums sums;

    (void)bias;
    sums.low.v0 = sums.low.v1 = sums.low.v2 = sums.low.v3 = vdupq_n_s32(0);
    sums.high = sums.low;
    return sums;
}

static EC_INLINE int32x4_t ec_add_neighbours(int32x4_t low, int32x4_t high)
{
#if defined(__aarch64__)
    return vpaddq_s32(low, high);
#else
    return vcombine_s32(
        vpadd_s32(vget_low_s32(low), vget_high_s32(low)), vpadd_s32(vget_low_s32(high), vget_high_s32(high)));
#endif
}

static EC_INLINE struct ec_sixteen ec_total(struct ec_sums sums, const int32_t *bias)
{
    struct ec_sixteen total = ec_load_sixteen(bias);

    total.v0 = vaddq_s32(total.v0, ec_add_neighbours(sums.low.v0, sums.high.v0));
    total.v1 = vaddq_s32(total.v1, ec_add_neighbours(sums.low.v1, sums.high.v1));
    total.v2 = vaddq_s32(total.v2, ec_add_neighbours(sums.low.v2, sums.high.v2));
    total.v3 = vaddq_s32(total.v3, ec_add_neighbours(sums.low.v3, sums.high.v3));
    return total;
}

/* Two products fit into 16 bits together: no weight is -128. */
static EC_INLINE int32x4_t ec_add_low(int32x4_t sums, int8x16_t a, int8x16_t b, int8x16_t c, int8x16_t d)
{
    const int16x8_t product = vmull_s8(vget_low_s8(a), vget_low_s8(b));

    return vpadalq_s16(sums, vmlal_s8(product, vget_low_s8(c), vget_low_s8(d)));
}

static EC_INLINE int16x8_t ec_multiply_high(int8x16_t a, int8x16_t b)
{
#if defined(__aarch64__)
    return vmull_high_s8(a, b);
#else
    return vmull_s8(vget_high_s8(a), vget_high_s8(b));
#endif
}

static EC_INLINE int32x4_t ec_add_high(int32x4_t sums, int8x16_t a, int8x16_t b, int8x16_t c, int8x16_t d)
{
#if defined(__aarch64__)
    return vpadalq_s16(sums, vmlal_high_s8(ec_multiply_high(a, b), c, d));
#else
    return vpadalq_s16(sums, vmlal_s8(ec_multiply_high(a, b), vget_high_s8(c), vget_high_s8(d)));
#endif
}

static EC_INLINE struct ec_sums ec_add_two_quads(
    struct ec_sums sums, int8x16x4_t weights0, int8x16x4_t weights1, int8x16_t quad0, int8x16_t quad1)
{
    sums.low.v0 = ec_add_low(sums.low.v0, weights0.val[0], quad0, weights1.val[0], quad1);
    sums.high.v0 = ec_add_high(sums.high.v0, weights0.val[0], quad0, weights1.val[0], quad1);
    sums.low.v1 = ec_add_low(sums.low.v1, weights0.val[1], quad0, weights1.val[1], quad1);
    sums.high.v1 = ec_add_high(sums.high.v1, weights0.val[1], quad0, weights1.val[1], quad1);
    sums.low.v2 = ec_add_low(sums.low.v2, weights0.val[2], quad0, weights1.val[2], quad1);
    sums.high.v2 = ec_add_high(sums.high.v2, weights0.val[2], quad0, weights1.val[2], quad1);
    sums.low.v3 = ec_add_low(sums.low.v3, weights0.val[3], quad0, weights1.val[3], quad1);
    sums.high.v3 = ec_add_high(sums.high.v3, weights0.val[3], quad0, weights1.val[3], quad1);
    return sums;
}

#if defined(__aarch64__)
#define EC_QUAD_FOUR_TIMES(numbers, quad)                                                                             \
    vreinterpretq_s8_s32(vdupq_laneq_s32(vreinterpretq_s32_s8(numbers), quad))
#else
#define EC_QUAD_FOUR_TIMES(numbers, quad)                                                                             \
    vreinterpretq_s8_s32(vdupq_n_s32(vgetq_lane_s32(vreinterpretq_s32_s8(numbers), quad)))
#endif

/* Two quads of 16 numbers, the even one and the next, times the weights of 16 channels for each. */
#define EC_ADD_QUADS(sums, weights0, weights1, numbers, even)                                                         \
    sums = ec_add_two_quads(                                                                                          \
        sums, weights0, weights1, EC_QUAD_FOUR_TIMES(numbers, even), EC_QUAD_FOUR_TIMES(numbers, (even) + 1))

#if defined(__aarch64__)

/* gcc keeps half of these sums in memory. v0 to v3 and v4 to v7 are weights of a quad and the next, v16 to v19 the
 * quads of the two pixels four times each, v20 to v23 products. */
#define EC_MULTIPLY_EIGHT(low0, high0, low1, high1, u0, u1, w0, w1, quad0, quad1)                                     \
    "smull v20.8h, " u0 ".8b, " quad0 ".8b\n\t"                                                                       \
    "smull2 v21.8h, " u0 ".16b, " quad0 ".16b\n\t"                                                                    \
    "smull v22.8h, " u1 ".8b, " quad0 ".8b\n\t"                                                                       \
    "smull2 v23.8h, " u1 ".16b, " quad0 ".16b\n\t"                                                                    \
    "smlal v20.8h, " w0 ".8b, " quad1 ".8b\n\t"                                                                       \
    "smlal2 v21.8h, " w0 ".16b, " quad1 ".16b\n\t"                                                                    \
    "smlal v22.8h, " w1 ".8b, " quad1 ".8b\n\t"                                                                       \
    "smlal2 v23.8h, " w1 ".16b, " quad1 ".16b\n\t"                                                                    \
    "sadalp %[" #low0 "].4s, v20.8h\n\t"                                                                              \
    "sadalp %[" #high0 "].4s, v21.8h\n\t"                                                                             \
    "sadalp %[" #low1 "].4s, v22.8h\n\t"                                                                              \
    "sadalp %[" #high1 "].4s, v23.8h\n\t"

#define EC_MULTIPLY_TWO_QUADS                                                                                         \
    "ld1 {v0.16b-v3.16b}, [%[weights]], #64\n\t"                                                                      \
    "ld2r {v16.4s, v17.4s}, [%[pixel0]], #8\n\t"                                                                      \
    "ld1 {v4.16b-v7.16b}, [%[weights]], #64\n\t"                                                                      \
    "ld2r {v18.4s, v19.4s}, [%[pixel1]], #8\n\t"                                                                      \
    EC_MULTIPLY_EIGHT(a0, b0, a1, b1, "v0", "v1", "v4", "v5", "v16", "v17")                                           \
    EC_MULTIPLY_EIGHT(a2, b2, a3, b3, "v2", "v3", "v6", "v7", "v16", "v17")                                           \
    EC_MULTIPLY_EIGHT(c0, d0, c1, d1, "v0", "v1", "v4", "v5", "v18", "v19")                                           \
    EC_MULTIPLY_EIGHT(c2, d2, c3, d3, "v2", "v3", "v6", "v7", "v18", "v19")

#define EC_CLEAR(v0, v1, v2, v3)                                                                                      \
    "movi %[" #v0 "].4s, #0\n\tmovi %[" #v1 "].4s, #0\n\tmovi %[" #v2 "].4s, #0\n\tmovi %[" #v3 "].4s, #0\n\t"

/* Two pixels. */
static EC_INLINE void ec_dot_pixels(
    struct ec_sums *sums, const int8_t *pixel0, int32_t step, int32_t run, const int8_t *weights, const int32_t *bias)
{
    const int8_t *const end = pixel0 + run;
    const int8_t *pixel1 = pixel0 + step;
    struct ec_sixteen a, b, c, d;

    (void)bias;
    __asm__ volatile(EC_CLEAR(a0, a1, a2, a3) EC_CLEAR(b0, b1, b2, b3) EC_CLEAR(c0, c1, c2, c3) EC_CLEAR(d0, d1, d2, d3)
                     "1:\n\t"
                     EC_MULTIPLY_TWO_QUADS
                     EC_MULTIPLY_TWO_QUADS
                     "cmp %[pixel0], %[end]\n\t"
                     "b.ne 1b"
                     : [a0] "=&w"(a.v0), [a1] "=&w"(a.v1), [a2] "=&w"(a.v2), [a3] "=&w"(a.v3),
                       [b0] "=&w"(b.v0), [b1] "=&w"(b.v1), [b2] "=&w"(b.v2), [b3] "=&w"(b.v3),
                       [c0] "=&w"(c.v0), [c1] "=&w"(c.v1), [c2] "=&w"(c.v2), [c3] "=&w"(c.v3),
                       [d0] "=&w"(d.v0), [d1] "=&w"(d.v1), [d2] "=&w"(d.v2), [d3] "=&w"(d.v3),
                       [pixel0] "+&r"(pixel0), [pixel1] "+&r"(pixel1), [weights] "+&r"(weights)
                     : [end] "r"(end)
                     : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19", "v20", "v21", "v22",
                       "v23", "cc", "memory");
    sums[0].low = a;
    sums[0].high = b;
    sums[1].low = c;
    sums[1].high = d;
}

#endif

#endif

#if defined(__aarch64__)

/* One pixel. */
static EC_INLINE struct ec_sums ec_dot_pixel(
    const int8_t *pixel, int32_t run, const int8_t *weights, const int32_t *bias)
{
    struct ec_sums sums = ec_begin_sums(bias);

    for (; run > 0; run -= 16, pixel += 16) {
        const int8x16_t numbers = vld1q_s8(pixel);
        int8x16x4_t weights0 = ec_load_64_bytes(weights), weights1 = ec_load_64_bytes(weights + 64);
        EC_ADD_QUADS(sums, weights0, weights1, numbers, 0);
        weights0 = ec_load_64_bytes(weights + 128);
        weights1 = ec_load_64_bytes(weights + 192);
        EC_ADD_QUADS(sums, weights0, weights1, numbers, 2);
        weights += 256;
    }
    return sums;
}

#else

/* Two quads of a pixel times those of four channels. */
#define EC_ADD_TWO_QUADS_OF_FOUR(v, at)                                                                               \
    {                                                                                                                 \
        const int8x16_t weights0 = vld1q_s8(weights + (at)), weights1 = vld1q_s8(weights + 64 + (at));                \
        sums.low.v = ec_add_low(sums.low.v, weights0, a, weights1, b);                                                \
        sums.high.v = ec_add_high(sums.high.v, weights0, a, weights1, b);                                             \
        __asm__ volatile("" : : : "memory"); /* else all weights are loaded first, and sums kept in memory */         \
    }

/* One pixel: 16 registers hold its sums and not much beside, so that weights are loaded one by one. */
static EC_INLINE struct ec_sums ec_dot_pixel(
    const int8_t *pixel, int32_t run, const int8_t *weights, const int32_t *bias)
{
    struct ec_sums sums = ec_begin_sums(bias);

    for (; run > 0; run -= 8, pixel += 8, weights += 128) {
        const int32x2_t quads = vreinterpret_s32_s8(vld1_s8(pixel));
        const int8x16_t a = vreinterpretq_s8_s32(vdupq_lane_s32(quads, 0));
        const int8x16_t b = vreinterpretq_s8_s32(vdupq_lane_s32(quads, 1));
        EC_ADD_TWO_QUADS_OF_FOUR(v0, 0)
        EC_ADD_TWO_QUADS_OF_FOUR(v1, 16)
        EC_ADD_TWO_QUADS_OF_FOUR(v2, 32)
        EC_ADD_TWO_QUADS_OF_FOUR(v3, 48)
    }
    return sums;
}

#endif

/* The same for four channels, of which the weights of all four quads are given. */
static EC_INLINE int32x4_t ec_add_sixteen_of_four(int32x4_t sums, int8x16x4_t weights, int8x16_t numbers)
{
#if defined(EC_DOT_PRODUCT)
    sums = vdotq_laneq_s32(sums, weights.val[0], numbers, 0);
    sums = vdotq_laneq_s32(sums, weights.val[1], numbers, 1);
    sums = vdotq_laneq_s32(sums, weights.val[2], numbers, 2);
    return vdotq_laneq_s32(sums, weights.val[3], numbers, 3);
#else
    const int8x16_t quad0 = EC_QUAD_FOUR_TIMES(numbers, 0), quad1 = EC_QUAD_FOUR_TIMES(numbers, 1);
    const int8x16_t quad2 = EC_QUAD_FOUR_TIMES(numbers, 2), quad3 = EC_QUAD_FOUR_TIMES(numbers, 3);
    int32x4_t low = vdupq_n_s32(0), high = low;

    low = ec_add_low(low, weights.val[0], quad0, weights.val[1], quad1);
    high = ec_add_high(high, weights.val[0], quad0, weights.val[1], quad1);
    low = ec_add_low(low, weights.val[2], quad2, weights.val[3], quad3);
    high = ec_add_high(high, weights.val[2], quad2, weights.val[3], quad3);
    return vaddq_s32(sums, ec_add_neighbours(low, high));
#endif
}

/* A quad of each of four channels, times the weights of one. */
static EC_INLINE int32x4_t ec_add_quads_of_four(int32x4_t sums, int8x16_t numbers, int8x16_t weights)
{
#if defined(EC_DOT_PRODUCT)
    return vdotq_s32(sums, numbers, weights);
#else
    const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(numbers), vget_low_s8(weights)));
    const int32x4_t high = vpaddlq_s16(ec_multiply_high(numbers, weights));

    return vaddq_s32(sums, ec_add_neighbours(low, high));
#endif
}

/* Three quads of each of four channels, times the weights of three. */
static EC_INLINE int32x4_t ec_add_three_quads(
    int32x4_t sums, int8x16_t a, int8x16_t b, int8x16_t c, int8x16_t d, int8x16_t e, int8x16_t f)
{
#if defined(EC_DOT_PRODUCT)
    return vdotq_s32(vdotq_s32(vdotq_s32(sums, a, b), c, d), e, f);
#else
    const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(e), vget_low_s8(f)));
    const int32x4_t high = vpaddlq_s16(ec_multiply_high(e, f));

    return vaddq_s32(sums, ec_add_neighbours(ec_add_low(low, a, b, c, d), ec_add_high(high, a, b, c, d)));
#endif
}

/* A quad of each of 16 channels, times the weights of one. */
static EC_INLINE struct ec_sixteen ec_add_quad_of_each(
    struct ec_sixteen sums, int8x16x4_t numbers, int8x16x4_t weights)
{
    sums.v0 = ec_add_quads_of_four(sums.v0, numbers.val[0], weights.val[0]);
    sums.v1 = ec_add_quads_of_four(sums.v1, numbers.val[1], weights.val[1]);
    sums.v2 = ec_add_quads_of_four(sums.v2, numbers.val[2], weights.val[2]);
    sums.v3 = ec_add_quads_of_four(sums.v3, numbers.val[3], weights.val[3]);
    return sums;
}

#endif

#endif
