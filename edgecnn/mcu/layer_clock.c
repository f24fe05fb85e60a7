/* Times the layers of a generated network by its hooks, for a library of this machine.
 *
 * From a kernel's call to its return the time is the layer's; what joins them is nobody's. One inference at a time. */
#include <stdint.h>
#include <time.h>

#include "layer_clock.h"

uint64_t layer_clock_ns[LAYER_CLOCK_LAYERS];
uint32_t layer_clock_calls[LAYER_CLOCK_LAYERS]; /* intervals that the time is made of */

static int32_t running = -1; /* layer, or -1 */
static uint64_t begun;

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void layer_clock_end(void)
{
    if (running >= 0) {
        layer_clock_ns[running] += now() - begun;
        layer_clock_calls[running]++;
        running = -1;
    }
}

void layer_clock_begin(int32_t layer)
{
    layer_clock_end(); /* a step that completes no row says no end */
    running = layer;
    begun = now();
}

/* Forgets everything; called before each inference. */
void layer_clock_reset(void)
{
    int32_t i;

    running = -1;
    for (i = 0; i < LAYER_CLOCK_LAYERS; i++) {
        layer_clock_ns[i] = 0;
        layer_clock_calls[i] = 0;
    }
}

/* Intervals with nothing between begin and end, booked on layer 0: what the clock itself takes. */
void layer_clock_nothing(int32_t times)
{
    layer_clock_reset();
    while (times-- > 0) {
        layer_clock_begin(0);
        layer_clock_end();
    }
}
