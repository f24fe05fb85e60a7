/* The order in which rows are made: a list of steps, parts of which repeat. */
#ifndef EDGECNN_ORDER_H
#define EDGECNN_ORDER_H

#include <stdint.h>

#define EC_END 255 /* after the last step */

struct ec_run {
    uint16_t first, length; /* steps[first] to steps[first + length - 1] ... */
    uint16_t times;         /* ... so many times */
};

struct ec_order {
    const uint8_t *steps;
    const struct ec_run *runs;
    uint16_t count; /* of runs */
};

/* A position in an order is three numbers: which run, how often it was done already, which step of it comes next. */
#define EC_RUN 0
#define EC_TIME 1
#define EC_STEP 2

static inline int ec_step(const struct ec_order *order, const uint16_t *at)
{
    return at[EC_RUN] < order->count ? order->steps[order->runs[at[EC_RUN]].first + at[EC_STEP]] : EC_END;
}

static inline void ec_advance(const struct ec_order *order, uint16_t *at)
{
    const struct ec_run *run = &order->runs[at[EC_RUN]];
    at[EC_STEP]++;
    if (at[EC_STEP] == run->length) {
        at[EC_STEP] = 0;
        at[EC_TIME]++;
        if (at[EC_TIME] == run->times) {
            at[EC_TIME] = 0;
            at[EC_RUN]++;
        }
    }
}

#endif
