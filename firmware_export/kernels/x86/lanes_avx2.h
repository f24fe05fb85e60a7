/* lanes.h by AVX2: all but the products, which are in products_avx2.h. */
#ifndef EDGECNN_LANES_AVX2_H
#define EDGECNN_LANES_AVX2_H

#include "vector_size.h"

#if EC_VECTOR_BYTES == 32

/* Not __m256i, which is of int64: gcc would copy all sums to and fro in the innermost loop. */
typedef int32_t ec_eight __attribute__((vector_size(32)));

/* Channels 0 to 7, and 8 to 15. */
typedef struct {
    ec_eight low, high;
} ec_lanes;

struct ec_halves {
    __m256i low, high;
};

typedef __m128i ec_bytes;

struct ec_scale {
    struct ec_halves multiplier;
    struct ec_halves even_offset, odd_offset; /* what is added to the products of every other channel, 64 bits */
    struct ec_halves shift;                   /* of their high words */
};

static EC_INLINE struct ec_halves ec_load_halves(const void *from)
{
    struct ec_halves halves;

    halves.low = _mm256_loadu_si256((const __m256i *)from);
    halves.high = _mm256_loadu_si256((const __m256i *)from + 1);
    return halves;
}

static EC_INLINE ec_lanes ec_load_lanes(const int32_t *from)
{
    const struct ec_halves halves = ec_load_halves(from);
    ec_lanes lanes;

    lanes.low = (ec_eight)halves.low;
    lanes.high = (ec_eight)halves.high;
    return lanes;
}

static EC_INLINE ec_lanes ec_same_lanes(int32_t value)
{
    ec_lanes lanes;

    lanes.low = lanes.high = (ec_eight)_mm256_set1_epi32(value);
    return lanes;
}

static EC_INLINE ec_lanes ec_add_lanes(ec_lanes a, ec_lanes b)
{
    a.low = (ec_eight)_mm256_add_epi32((__m256i)a.low, (__m256i)b.low);
    a.high = (ec_eight)_mm256_add_epi32((__m256i)a.high, (__m256i)b.high);
    return a;
}

static EC_INLINE ec_lanes ec_multiply_lanes(ec_lanes a, ec_lanes b)
{
    a.low = (ec_eight)_mm256_mullo_epi32((__m256i)a.low, (__m256i)b.low);
    a.high = (ec_eight)_mm256_mullo_epi32((__m256i)a.high, (__m256i)b.high);
    return a;
}

/* Saturated to bytes. */
static EC_INLINE ec_bytes ec_narrow(ec_lanes lanes)
{
    const __m256i halves = _mm256_permute4x64_epi64(_mm256_packs_epi32((__m256i)lanes.low, (__m256i)lanes.high), 0xd8);
    return _mm_packs_epi16(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}

static EC_INLINE ec_bytes ec_shift_and_narrow(ec_lanes lanes, int32_t shift)
{
    lanes.low = (ec_eight)_mm256_srai_epi32((__m256i)lanes.low, shift);
    lanes.high = (ec_eight)_mm256_srai_epi32((__m256i)lanes.high, shift);
    return ec_narrow(lanes);
}

static EC_INLINE __m256i ec_mean_8(__m256i sums, int32_t count)
{
    const __m256i sizes = _mm256_add_epi32(_mm256_abs_epi32(sums), _mm256_set1_epi32(count / 2));
    const __m256 quotients = _mm256_div_ps(_mm256_cvtepi32_ps(sizes), _mm256_set1_ps((float)count));

    return _mm256_sign_epi32(_mm256_cvttps_epi32(quotients), sums);
}

/* Each sum / count, half away from zero: |sum| + count / 2 is below 2^23, so that the quotient of floats is on the
 * right side of every whole number. */
static EC_INLINE ec_bytes ec_mean_lanes(ec_lanes sums, int32_t count)
{
    sums.low = (ec_eight)ec_mean_8((__m256i)sums.low, count);
    sums.high = (ec_eight)ec_mean_8((__m256i)sums.high, count);
    return ec_narrow(sums);
}

static EC_INLINE ec_bytes ec_same_byte(int32_t value)
{
    return _mm_set1_epi8((char)value);
}

static EC_INLINE ec_lanes ec_widen(ec_bytes bytes)
{
    ec_lanes lanes;

    lanes.low = (ec_eight)_mm256_cvtepi8_epi32(bytes);
    lanes.high = (ec_eight)_mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8));
    return lanes;
}

static EC_INLINE ec_bytes ec_load_bytes(const int8_t *from, int32_t count)
{
    int8_t copy[16] = {0};

    if (count >= 16) {
        return _mm_loadu_si128((const __m128i *)(const void *)from);
    }
    memcpy(copy, from, (size_t)count);
    return _mm_loadu_si128((const __m128i *)(const void *)copy);
}

static EC_INLINE void ec_store_bytes(int8_t *to, ec_bytes bytes, int32_t count)
{
    if (count >= 16) {
        _mm_storeu_si128((__m128i *)(void *)to, bytes);
    } else {
        int8_t copy[16];
        _mm_storeu_si128((__m128i *)(void *)copy, bytes);
        memcpy(to, copy, (size_t)count);
    }
}

/* Words of 16 channels in up to four rows. */
static EC_INLINE void ec_store_columns(
    uint8_t *to, ec_bytes row0, ec_bytes row1, ec_bytes row2, ec_bytes row3)
{
    const __m128i flip = _mm_set1_epi8((char)-128);
    const __m128i low01 = _mm_unpacklo_epi8(row0, row1), high01 = _mm_unpackhi_epi8(row0, row1);
    const __m128i low23 = _mm_unpacklo_epi8(row2, row3), high23 = _mm_unpackhi_epi8(row2, row3);
    __m128i *words = (__m128i *)(void *)to;

    _mm_storeu_si128(words, _mm_xor_si128(_mm_unpacklo_epi16(low01, low23), flip));
    _mm_storeu_si128(words + 1, _mm_xor_si128(_mm_unpackhi_epi16(low01, low23), flip));
    _mm_storeu_si128(words + 2, _mm_xor_si128(_mm_unpacklo_epi16(high01, high23), flip));
    _mm_storeu_si128(words + 3, _mm_xor_si128(_mm_unpackhi_epi16(high01, high23), flip));
}

/* to[i] = from[i] + 128 for `count` bytes. */
static EC_INLINE void ec_copy_flipped(uint8_t *to, const int8_t *from, int32_t count)
{
    const __m256i flip = _mm256_set1_epi8((char)-128);

    for (; count >= 32; count -= 32, to += 32, from += 32) {
        const __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)from);
        _mm256_storeu_si256((__m256i *)(void *)to, _mm256_xor_si256(bytes, flip));
    }
    for (; count > 0; count--) {
        *to++ = (uint8_t)(*from++ + 128);
    }
}

/* to[i] = value for `count` bytes, and up to 31 beyond. */
static EC_INLINE void ec_fill(uint8_t *to, uint8_t value, int32_t count)
{
    for (; count > 0; count -= 32, to += 32) {
        _mm256_storeu_si256((__m256i *)(void *)to, _mm256_set1_epi8((char)value));
    }
}

static EC_INLINE __m256i ec_offset_4(__m256i places, int32_t zero_point)
{
    const __m256i half = _mm256_set1_epi64x(2 * zero_point + 1);
    return _mm256_add_epi64(_mm256_set1_epi64x(1 << 30), _mm256_sllv_epi64(half, places));
}

static EC_INLINE struct ec_scale ec_load_scale(const int32_t *multiplier, const int32_t *shift, int32_t zero_point)
{
    const __m256i thirty = _mm256_set1_epi32(30), ones = _mm256_set1_epi32(-1), six_bits = _mm256_set1_epi64x(63);
    const struct ec_halves shifts = ec_load_halves(shift);
    const __m256i low = _mm256_sub_epi32(thirty, shifts.low), high = _mm256_sub_epi32(thirty, shifts.high);
    struct ec_scale scale;

    scale.multiplier = ec_load_halves(multiplier);
    scale.even_offset.low = ec_offset_4(_mm256_and_si256(low, six_bits), zero_point);
    scale.even_offset.high = ec_offset_4(_mm256_and_si256(high, six_bits), zero_point);
    scale.odd_offset.low = ec_offset_4(_mm256_srli_epi64(low, 32), zero_point);
    scale.odd_offset.high = ec_offset_4(_mm256_srli_epi64(high, 32), zero_point);
    scale.shift.low = _mm256_xor_si256(shifts.low, ones);
    scale.shift.high = _mm256_xor_si256(shifts.high, ones);
    return scale;
}

/* The high words of sums times multipliers, rounded. */
static EC_INLINE __m256i ec_scaled_8(
    ec_eight lanes, __m256i multiplier, __m256i even_offset, __m256i odd_offset, int32_t is_signed)
{
    const __m256i sums = (__m256i)lanes;
    __m256i even = _mm256_mul_epi32(sums, multiplier);
    __m256i odd = _mm256_mul_epi32(_mm256_srli_epi64(sums, 32), _mm256_srli_epi64(multiplier, 32));

    if (is_signed) {
        const __m256i zero = _mm256_setzero_si256(), two = _mm256_set1_epi64x(INT64_C(1) << 31);
        even = _mm256_sub_epi64(even, _mm256_and_si256(_mm256_cmpgt_epi64(zero, even), two));
        odd = _mm256_sub_epi64(odd, _mm256_and_si256(_mm256_cmpgt_epi64(zero, odd), two));
    }
    even = _mm256_add_epi64(even, even_offset);
    odd = _mm256_add_epi64(odd, odd_offset);
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
}

static EC_INLINE ec_bytes ec_requantize_lanes(ec_lanes sums, const struct ec_scale *scale, int32_t is_signed)
{
    sums.low = (ec_eight)_mm256_srav_epi32(
        ec_scaled_8(sums.low, scale->multiplier.low, scale->even_offset.low, scale->odd_offset.low, is_signed),
        scale->shift.low);
    sums.high = (ec_eight)_mm256_srav_epi32(
        ec_scaled_8(sums.high, scale->multiplier.high, scale->even_offset.high, scale->odd_offset.high, is_signed),
        scale->shift.high);
    return ec_narrow(sums);
}

static EC_INLINE ec_bytes ec_max_bytes(ec_bytes a, ec_bytes b)
{
    return _mm_max_epi8(a, b);
}

static EC_INLINE ec_bytes ec_clamp_bytes(ec_bytes bytes, int32_t low, int32_t high)
{
    return _mm_min_epi8(_mm_max_epi8(bytes, _mm_set1_epi8((char)low)), _mm_set1_epi8((char)high));
}

#endif

#endif
