/* small: the network. See small.h for how to call it. */
#include "small.h"
#include "small_kernels.h"
#include "small_weights.h"

/* Hooks for profilers and checks; they cost nothing unless they are defined.
 * ON_LAYER(layer): a step of this layer begins. ON_ROW(layer, y, row, bytes): it has written row y of its output. */
#ifndef SMALL_ON_LAYER
#define SMALL_ON_LAYER(layer) ((void)0)
#endif
#ifndef SMALL_ON_ROW
#define SMALL_ON_ROW(layer, y, row, bytes) ((void)0)
#endif

/* Where row r of each value lies. A value keeps all its rows, or a ring of the last few. */
/* input 6x6x2 */
static inline const int8_t *small_x0(const struct small_stream *m, int32_t r)
{
    return m->input + (uint32_t)r % m->input_kept * 12u;
}

/* conv_2d_1 3x3x4, 1 of 3 rows kept */
static inline int8_t *small_x1(const struct small_stream *m, int32_t r)
{
    (void)r;
    return m->arena + 0;
}

/* fully_connected_1 3 */
static inline int8_t *small_x2(const struct small_stream *m, int32_t r)
{
    (void)r;
    return m->arena + 24;
}

/* softmax_1 3, the caller's */
static inline int8_t *small_x3(const struct small_stream *m, int32_t r)
{
    (void)r;
    return m->output;
}

/* conv_2d_1: CONV_2D, 6x6x2 -> 3x3x4; 'conv/Relu' */
static void small_conv_2d_1(const struct small_stream *m, int32_t y)
{
    const int8_t *in[3];
    int32_t k;
    for (k = 0; k < 3; k++) {
        const int32_t row = y * 2 + k;
        in[k] = row < 6 ? small_x0(m, row) : NULL;
    }
    SMALL_ON_LAYER(0);
    ec_conv_2d(&small_conv_2d_1_layer, small_x1(m, y), in);
    SMALL_ON_ROW(0, y, small_x1(m, y), 12);
}

/* fully_connected_1: FULLY_CONNECTED, 3x3x4 -> 3; 'logits' */
static void small_fully_connected_1(const struct small_stream *m, int32_t y)
{
    SMALL_ON_LAYER(1);
    ec_fully_connected_accumulate(&small_fully_connected_1_layer,
        small_x2(m, 0),
        small_x1(m, y),
        y,
        (int32_t *)(void *)(m->arena + 12));
    if (y == 2) {
        SMALL_ON_ROW(1, 0, small_x2(m, 0), 3);
    }
}

/* softmax_1: SOFTMAX, 3 -> 3; 'classes' */
static void small_softmax_1(const struct small_stream *m, int32_t y)
{
    SMALL_ON_LAYER(2);
    ec_softmax(&small_softmax_1_layer, small_x3(m, y), small_x2(m, 0));
    SMALL_ON_ROW(2, y, small_x3(m, y), 3);
}

static void small_restart(struct small_stream *m)
{
    memset(m->at, 0, sizeof m->at);
    memset(m->y, 0, sizeof m->y);
}

static const uint8_t small_order_0_steps[12] = {
    0, 0, 0, 1, 2, 0, 0, 1, 2, 0, 1, 2
};
static const struct ec_run small_order_0_runs[1] = { /* first step, how many of them, how often */
    {0, 12, 1},
};
static const struct ec_order small_order_0 = {small_order_0_steps, small_order_0_runs, 1};

/* The network. Returns 1 when it waits for the next row of the input, 0 when the output is complete. */
static int small_network(struct small_stream *m)
{
    int step;

    /* Depth first: a row is made when another layer needs it, and kept as long as one does. */
    for (; (step = ec_step(&small_order_0, m->at)) != EC_END; ec_advance(&small_order_0, m->at)) {
        switch (step) {
        case 0: /* the next row of the input */
            if (m->input_y == m->arrived) {
                return 1;
            }
            m->input_y++;
            break;
        case 1: small_conv_2d_1(m, (int32_t)m->y[0]++); break;          /* 6x6x2 -> 3x3x4 */
        default: small_fully_connected_1(m, (int32_t)m->y[1]++); break; /* 3x3x4 -> 3 */
        }
    }
    small_softmax_1(m, 0); /* 3 -> 3 */
    m->done = 1;
    return 0;
}

static int small_start(struct small_stream *m, void *arena, int8_t *output)
{
    if (arena == NULL || output == NULL) {
        return SMALL_ERROR_NULL;
    }
    if ((uintptr_t)arena % SMALL_ARENA_ALIGNMENT != 0u) {
        return SMALL_ERROR_ALIGNMENT;
    }
    m->arena = (int8_t *)arena;
    m->output = output;
    small_restart(m);
    return 0;
}

int small_run(void *arena, const int8_t *input, int8_t *output)
{
    struct small_stream m = {0};
    const int status = small_start(&m, arena, output);
    if (status != 0) {
        return status;
    }
    if (input == NULL) {
        return SMALL_ERROR_NULL;
    }
    m.input = input;
    m.input_kept = m.arrived = SMALL_INPUT_ROWS;
    m.input_y = 0;
    return small_network(&m);
}

int small_begin(struct small_stream *stream, void *arena, int8_t *output)
{
    int status;
    if (stream == NULL) {
        return SMALL_ERROR_NULL;
    }
    status = small_start(stream, arena, output);
    if (status != 0) {
        return status;
    }
    stream->input = stream->arena + 28;
    stream->input_kept = 3;
    stream->arrived = stream->input_y = stream->done = 0;
    return 0;
}

int small_push_row(struct small_stream *stream, const int8_t *row)
{
    if (stream == NULL || row == NULL) {
        return SMALL_ERROR_NULL;
    }
    if (stream->arrived >= SMALL_INPUT_ROWS) {
        return SMALL_ERROR_ROWS;
    }
    if (!stream->done) { /* the last rows may be needed by nobody */
        memcpy(stream->arena + 28 + (uint32_t)stream->arrived % 3u * 12u, row, 12);
    }
    stream->arrived++;
    if (!stream->done) {
        (void)small_network(stream);
    }
    return SMALL_INPUT_ROWS - (int)stream->arrived;
}

const char *const small_labels[SMALL_CLASSES] = {
    "cat",
    "dog",
    "bird"
};

#if defined(__ARM_FEATURE_MVE) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif
