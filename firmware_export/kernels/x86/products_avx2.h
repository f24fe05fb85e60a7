/* lanes.h by AVX2: words, weights and their products, 32 in an instruction with VNNI, 16 without. */
#ifndef EDGECNN_PRODUCTS_AVX2_H
#define EDGECNN_PRODUCTS_AVX2_H

#include "lanes_avx2.h"

#if EC_VECTOR_BYTES == 32

#if defined(__AVXVNNI__)
#define EC_DOT_8 _mm256_dpbusd_avx_epi32
#elif defined(__AVX512VNNI__) && defined(__AVX512VL__)
#define EC_DOT_8 _mm256_dpbusd_epi32
#endif

#if defined(EC_DOT_8)
typedef struct ec_halves ec_weights;
typedef struct ec_halves ec_words;
#else
/* As int16, the numbers 0 and 2 of each word, and the numbers 1 and 3. */
typedef struct {
    struct ec_halves even, odd;
} ec_weights;
typedef ec_weights ec_words;
#endif

#if defined(EC_DOT_8)

static EC_INLINE ec_weights ec_load_weights(const int8_t *from)
{
    ec_weights weights = ec_load_halves(from);

#if defined(__GNUC__)
    __asm__("" : "+x"(weights.low), "+x"(weights.high)); /* in registers, not loaded again for every pixel */
#endif
    return weights;
}

static EC_INLINE ec_words ec_words_of(struct ec_halves bytes)
{
    return bytes;
}

static EC_INLINE ec_lanes ec_add_products(ec_lanes sums, ec_words words, ec_weights weights)
{
    sums.low = (ec_eight)EC_DOT_8((__m256i)sums.low, words.low, weights.low);
    sums.high = (ec_eight)EC_DOT_8((__m256i)sums.high, words.high, weights.high);
    return sums;
}

#else

/* VPMADDUBSW would saturate: the numbers are widened. */
static EC_INLINE ec_weights ec_load_weights(const int8_t *from)
{
    const struct ec_halves bytes = ec_load_halves(from);
    ec_weights weights;

    weights.even.low = _mm256_srai_epi16(_mm256_slli_epi16(bytes.low, 8), 8);
    weights.even.high = _mm256_srai_epi16(_mm256_slli_epi16(bytes.high, 8), 8);
    weights.odd.low = _mm256_srai_epi16(bytes.low, 8);
    weights.odd.high = _mm256_srai_epi16(bytes.high, 8);
    return weights;
}

static EC_INLINE ec_words ec_words_of(struct ec_halves bytes)
{
    const __m256i low_byte = _mm256_set1_epi16(0xff);
    ec_words words;

    words.even.low = _mm256_and_si256(bytes.low, low_byte);
    words.even.high = _mm256_and_si256(bytes.high, low_byte);
    words.odd.low = _mm256_srli_epi16(bytes.low, 8);
    words.odd.high = _mm256_srli_epi16(bytes.high, 8);
    return words;
}

static EC_INLINE ec_eight ec_add_8(ec_eight sums, __m256i products)
{
    return (ec_eight)_mm256_add_epi32((__m256i)sums, products);
}

static EC_INLINE ec_lanes ec_add_products(ec_lanes sums, ec_words words, ec_weights weights)
{
    sums.low = ec_add_8(sums.low, _mm256_madd_epi16(words.even.low, weights.even.low));
    sums.high = ec_add_8(sums.high, _mm256_madd_epi16(words.even.high, weights.even.high));
    sums.low = ec_add_8(sums.low, _mm256_madd_epi16(words.odd.low, weights.odd.low));
    sums.high = ec_add_8(sums.high, _mm256_madd_epi16(words.odd.high, weights.odd.high));
    return sums;
}

#endif

static EC_INLINE ec_words ec_same_word(const uint8_t *from)
{
    struct ec_halves bytes;
    int32_t word;

    memcpy(&word, from, sizeof(word));
    bytes.low = bytes.high = _mm256_set1_epi32(word);
    return ec_words_of(bytes);
}

static EC_INLINE ec_words ec_load_words(const uint8_t *from)
{
    return ec_words_of(ec_load_halves(from));
}

#endif

#endif
