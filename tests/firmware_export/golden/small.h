/* small: 6x6x2 -> 3. Made by edgecnn from a .tflite with the SHA-256
 * 0000000000000000000000000000000000000000000000000000000000000000
 *
 *     #include "small.h"
 *
 *     static int32_t arena[(SMALL_ARENA_SIZE + 3) / 4];    // int32_t, so that it is aligned
 *     static int8_t input[SMALL_INPUT_SIZE];
 *     static int8_t output[SMALL_OUTPUT_SIZE];
 *
 *     int classify(void)
 *     {
 *         return small_run(arena, input, output);
 *     }
 *
 * or without an input buffer, row after row:
 *
 *     static int32_t push_arena[(SMALL_PUSH_ARENA_SIZE + 3) / 4];
 *
 *     int classify_rows(void (*next_row)(int8_t *row))
 *     {
 *         struct small_stream stream;
 *         int8_t row[SMALL_INPUT_ROW_SIZE / sizeof(int8_t)];
 *         int left = small_begin(&stream, push_arena, output) == 0 ? SMALL_INPUT_ROWS : -1;
 *         while (left > 0) {
 *             next_row(row);
 *             left = small_push_row(&stream, row);
 *         }
 *         return left;
 *     }
 */
#ifndef EDGECNN_MODEL_small_H
#define EDGECNN_MODEL_small_H

#include <stdint.h>

#define SMALL_INPUT_SIZE 72 /* bytes: int8_t 6x6x2 */
#define SMALL_INPUT_SCALE 0.00392156886f /* real = (value - zero point) * scale */
#define SMALL_INPUT_ZERO_POINT (-128)
#define SMALL_OUTPUT_SIZE 3 /* bytes: int8_t 3 */
#define SMALL_OUTPUT_SCALE 0.00390625f /* real = (value - zero point) * scale */
#define SMALL_OUTPUT_ZERO_POINT (-128)

/* Memory that a call works in. Input and output are the caller's and come on top. */
#define SMALL_ARENA_SIZE 28
#define SMALL_ARENA_ALIGNMENT 4
#define SMALL_PUSH_ARENA_SIZE 64 /* pushed rows included */
#define SMALL_INPUT_ROWS 6
#define SMALL_INPUT_ROW_SIZE 12

#define SMALL_ERROR_NULL (-1)      /* a pointer is NULL */
#define SMALL_ERROR_ALIGNMENT (-2) /* the arena does not begin at a multiple of SMALL_ARENA_ALIGNMENT */
#define SMALL_ERROR_ROWS (-3)      /* more rows were pushed than the input has */

#define SMALL_CLASSES 3

#ifdef __cplusplus
extern "C" {
#endif

extern const char *const small_labels[SMALL_CLASSES];

/* One inference. Returns 0, or one of the errors. Input and output do not overlap with anything.
 * arena: SMALL_ARENA_SIZE bytes that nobody else uses meanwhile. */
int small_run(void *arena, const int8_t *input, int8_t *output);

/* The same with the input row by row, from top to bottom, as a camera delivers it. Arena and output
 * belong to it until the last row was pushed. The stream's fields are not for the caller. */
struct small_stream {
    int8_t *arena;
    const int8_t *input;
    int8_t *output;
    uint16_t input_kept, input_y, arrived, done;
    uint16_t at[3]; /* the position in the order of rows */
    uint16_t y[2]; /* the next row of each layer that runs depth first */
};

/* arena: SMALL_PUSH_ARENA_SIZE bytes. Returns 0, or one of the errors. */
int small_begin(struct small_stream *stream, void *arena, int8_t *output);
/* row: SMALL_INPUT_ROW_SIZE bytes. Returns how many rows are still to come (0: the output is
 * complete), or one of the errors. */
int small_push_row(struct small_stream *stream, const int8_t *row);

#ifdef __cplusplus
}
#endif

#endif
