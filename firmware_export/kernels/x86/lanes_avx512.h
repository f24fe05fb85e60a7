/* lanes.h by AVX-512 with VNNI: 64 products in an instruction. */
#ifndef EDGECNN_LANES_AVX512_H
#define EDGECNN_LANES_AVX512_H

#include "vector_size.h"

#if EC_VECTOR_BYTES == 64

/* Not __m512i, which is of int64: gcc would copy all sums to and fro in the innermost loop. */
typedef int32_t ec_lanes __attribute__((vector_size(64)));
typedef __m512i ec_weights;
typedef __m512i ec_words;
typedef __m128i ec_bytes;

struct ec_scale {
    __m512i multiplier, odd_multiplier; /* of all channels, of every other */
    __m512i even_offset, odd_offset;    /* what is added to the products, 64 bits */
    __m512i shift;                      /* of their high words */
};

static EC_INLINE ec_lanes ec_load_lanes(const int32_t *from)
{
    return (ec_lanes)_mm512_loadu_si512(from);
}

static EC_INLINE ec_lanes ec_same_lanes(int32_t value)
{
    return (ec_lanes)_mm512_set1_epi32(value);
}

static EC_INLINE ec_lanes ec_add_lanes(ec_lanes a, ec_lanes b)
{
    return (ec_lanes)_mm512_add_epi32((__m512i)a, (__m512i)b);
}

static EC_INLINE ec_lanes ec_multiply_lanes(ec_lanes a, ec_lanes b)
{
    return (ec_lanes)_mm512_mullo_epi32((__m512i)a, (__m512i)b);
}

static EC_INLINE ec_bytes ec_shift_and_narrow(ec_lanes lanes, int32_t shift)
{
    return _mm512_cvtsepi32_epi8(_mm512_srai_epi32((__m512i)lanes, (uint32_t)shift));
}

/* Each sum / count, half away from zero: |sum| + count / 2 is below 2^23, so that the quotient of floats is on the
 * right side of every whole number. */
static EC_INLINE ec_bytes ec_mean_lanes(ec_lanes sums, int32_t count)
{
    const __m512i sizes = _mm512_add_epi32(_mm512_abs_epi32((__m512i)sums), _mm512_set1_epi32(count / 2));
    const __m512 quotients = _mm512_div_ps(_mm512_cvtepi32_ps(sizes), _mm512_set1_ps((float)count));
    const __m512i means = _mm512_cvttps_epi32(quotients);

    return _mm512_cvtsepi32_epi8(
        _mm512_mask_sub_epi32(means, _mm512_movepi32_mask((__m512i)sums), _mm512_setzero_si512(), means));
}

static EC_INLINE ec_bytes ec_same_byte(int32_t value)
{
    return _mm_set1_epi8((char)value);
}

static EC_INLINE ec_lanes ec_widen(ec_bytes bytes)
{
    return (ec_lanes)_mm512_cvtepi8_epi32(bytes);
}

static EC_INLINE ec_weights ec_load_weights(const int8_t *from)
{
    ec_weights weights = _mm512_loadu_si512(from);

#if defined(__GNUC__)
    __asm__("" : "+v"(weights)); /* in a register, not loaded again for every pixel */
#endif
    return weights;
}

static EC_INLINE ec_words ec_same_word(const uint8_t *from)
{
    int32_t word;

    memcpy(&word, from, sizeof(word));
    return _mm512_set1_epi32(word);
}

static EC_INLINE ec_words ec_load_words(const uint8_t *from)
{
    return _mm512_loadu_si512(from);
}

static EC_INLINE ec_lanes ec_add_products(ec_lanes sums, ec_words words, ec_weights weights)
{
    return (ec_lanes)_mm512_dpbusd_epi32((__m512i)sums, words, weights);
}

static EC_INLINE __mmask16 ec_first(int32_t count)
{
    return (__mmask16)(count >= 16 ? 0xffff : (1 << count) - 1);
}

static EC_INLINE ec_bytes ec_load_bytes(const int8_t *from, int32_t count)
{
    return count >= 16 ? _mm_loadu_si128((const __m128i *)(const void *)from)
                       : _mm_maskz_loadu_epi8(ec_first(count), from);
}

static EC_INLINE void ec_store_bytes(int8_t *to, ec_bytes bytes, int32_t count)
{
    if (count >= 16) {
        _mm_storeu_si128((__m128i *)(void *)to, bytes);
    } else {
        _mm_mask_storeu_epi8(to, ec_first(count), bytes);
    }
}

/* Words of 16 channels in up to four rows. */
static EC_INLINE void ec_store_columns(
    uint8_t *to, ec_bytes row0, ec_bytes row1, ec_bytes row2, ec_bytes row3)
{
    const __m512i low = _mm512_or_si512(
        _mm512_cvtepu8_epi32(row0), _mm512_slli_epi32(_mm512_cvtepu8_epi32(row1), 8));
    const __m512i high = _mm512_or_si512(
        _mm512_cvtepu8_epi32(row2), _mm512_slli_epi32(_mm512_cvtepu8_epi32(row3), 8));
    const __m512i words = _mm512_or_si512(low, _mm512_slli_epi32(high, 16));

    _mm512_storeu_si512(to, _mm512_xor_si512(words, _mm512_set1_epi8((char)-128)));
}

/* to[i] = from[i] + 128 for `count` bytes. */
static EC_INLINE void ec_copy_flipped(uint8_t *to, const int8_t *from, int32_t count)
{
    const __m512i flip = _mm512_set1_epi8((char)-128);

    for (; count >= 64; count -= 64, to += 64, from += 64) {
        _mm512_storeu_si512(to, _mm512_xor_si512(_mm512_loadu_si512(from), flip));
    }
    if (count > 0) {
        const __mmask64 mask = ~UINT64_C(0) >> (64 - count);
        _mm512_mask_storeu_epi8(to, mask, _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, from), flip));
    }
}

/* to[i] = value for `count` bytes, and up to 63 beyond. */
static EC_INLINE void ec_fill(uint8_t *to, uint8_t value, int32_t count)
{
    for (; count > 0; count -= 64, to += 64) {
        _mm512_storeu_si512(to, _mm512_set1_epi8((char)value));
    }
}

static EC_INLINE struct ec_scale ec_load_scale(const int32_t *multiplier, const int32_t *shift, int32_t zero_point)
{
    const __m512i shifts = _mm512_loadu_si512(shift);
    const __m512i places = _mm512_sub_epi32(_mm512_set1_epi32(30), shifts);
    const __m512i half = _mm512_set1_epi64(2 * zero_point + 1), rounding = _mm512_set1_epi64(1 << 30);
    const __m512i even_places = _mm512_and_si512(places, _mm512_set1_epi64(63));
    struct ec_scale scale;

    scale.multiplier = _mm512_loadu_si512(multiplier);
    scale.odd_multiplier = _mm512_srli_epi64(scale.multiplier, 32);
    scale.even_offset = _mm512_add_epi64(rounding, _mm512_sllv_epi64(half, even_places));
    scale.odd_offset = _mm512_add_epi64(rounding, _mm512_sllv_epi64(half, _mm512_srli_epi64(places, 32)));
    scale.shift = _mm512_xor_si512(shifts, _mm512_set1_epi32(-1));
    return scale;
}

static EC_INLINE ec_bytes ec_requantize_lanes(ec_lanes sums, const struct ec_scale *scale, int32_t is_signed)
{
    __m512i even = _mm512_mul_epi32((__m512i)sums, scale->multiplier);
    __m512i odd = _mm512_mul_epi32(_mm512_srli_epi64((__m512i)sums, 32), scale->odd_multiplier);

    if (is_signed) {
        const __m512i two = _mm512_set1_epi64(INT64_C(1) << 31);
        even = _mm512_mask_sub_epi64(even, _mm512_movepi64_mask(even), even, two);
        odd = _mm512_mask_sub_epi64(odd, _mm512_movepi64_mask(odd), odd, two);
    }
    even = _mm512_add_epi64(even, scale->even_offset);
    odd = _mm512_add_epi64(odd, scale->odd_offset);
    /* The high words of both, each in its place. */
    odd = _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB);
    return _mm512_cvtsepi32_epi8(_mm512_srav_epi32(odd, scale->shift));
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
