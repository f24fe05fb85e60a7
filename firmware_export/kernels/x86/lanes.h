/* Sixteen channels at a time: AVX-512 with VNNI, AVX2, or plain C, which all compute the same.
 *
 * Lanes are 16 numbers of int32. A word is four neighbouring numbers of an image as bytes without sign, each plus 128;
 * weights are four bytes with sign for each lane, whose products with a word are added to the lane. The bias takes back
 * what the 128 adds. So the products are those that VNNI has instructions for.
 *
 * Sums become activations as in requantize.h, with one addition to the product: with n = -shift, 1 to 20, and a product
 * P = sum * multiplier the result is
 *     floor((P + nudge + 2^(30 + n)) / 2^(31 + n)) + zero_point,    nudge = sum < 0 ? -2^30 : 2^30,
 * which is the high word of P + nudge + ((2 * zero_point + 1) << (30 + n)), shifted right by n - 1. Where the
 * activation cuts off what lies below the zero point, how negative sums are rounded is lost (`is_signed` is 0): one
 * nudge for all. */
#ifndef EDGECNN_LANES_H
#define EDGECNN_LANES_H

#include "lanes_avx512.h"
#include "lanes_c.h"
#include "products_avx2.h"

#endif
