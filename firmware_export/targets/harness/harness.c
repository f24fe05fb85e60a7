/* The main loop: read a sample, run the network, check the memory around it, write the outputs. See harness.h. */
#include "harness.h"

#define GUARD_BYTE 0xC3u
#define STACK_WORD UINT32_C(0x5AC35AC3)

uintptr_t harness_stack_mark;
static size_t deepest; /* bytes of stack */

/* --- saying ----------------------------------------------------------------------------------------------------- */

void harness_say_number(const char *text, uint32_t number)
{
    char digits[12] = "\n";
    char *at = digits;
    uint32_t place;

    harness_say(text);
    for (place = 1000000000; place > 1 && number < place; place /= 10) {
    }
    for (; place > 0; place /= 10) {
        *at++ = (char)('0' + number / place % 10);
    }
    *at++ = '\n';
    *at = '\0';
    harness_say(digits);
}

void harness_fail(const char *text, const char *detail)
{
    harness_say("error: ");
    harness_say(text);
    harness_say(" ");
    harness_say(detail);
    harness_say("\n");
    harness_exit(2);
}

/* --- guards ----------------------------------------------------------------------------------------------------- */

static void fill(uint8_t *at, size_t bytes, uint8_t value)
{
    while (bytes-- > 0) {
        *at++ = value;
    }
}

static void set_guards(const struct harness_buffer *buffer)
{
    fill(buffer->start - HARNESS_GUARD, HARNESS_GUARD, GUARD_BYTE);
    fill(buffer->start + buffer->bytes, HARNESS_GUARD, GUARD_BYTE);
}

static void check_guards(const struct harness_buffer *buffer)
{
    size_t i;

    for (i = 0; i < HARNESS_GUARD; i++) {
        if (buffer->start[buffer->bytes + i] != GUARD_BYTE) {
            harness_fail("memory was written after the end of", buffer->name);
        }
        if (buffer->start[-1 - (ptrdiff_t)i] != GUARD_BYTE) {
            harness_fail("memory was written before the start of", buffer->name);
        }
    }
}

/* So that a write into the input is seen (D. Bernstein's hash; any would do). */
static uint32_t hash(const struct harness_buffer *buffer)
{
    uint32_t value = 5381;
    size_t i;

    for (i = 0; i < buffer->bytes; i++) {
        value = value * 33u + buffer->start[i];
    }
    return value;
}

/* --- stack ------------------------------------------------------------------------------------------------------ */

static uintptr_t stack_limit; /* as far down as it may go */

#ifdef HARNESS_HOST
#define STACK_LIMIT ((harness_stack_mark - 65536u) & ~(uintptr_t)3)
#else
extern uint32_t board_stack_start[];
#define STACK_LIMIT ((uintptr_t)board_stack_start)
#endif

/* Paints the stack below the caller's frame; calls nothing meanwhile, so that nothing of value lies there. */
static inline __attribute__((always_inline)) void paint_stack(void)
{
    volatile uint32_t *word;

    HARNESS_MARK_STACK();
    stack_limit = STACK_LIMIT;
    for (word = (volatile uint32_t *)stack_limit; (uintptr_t)word + sizeof *word <= harness_stack_mark; word++) {
        *word = STACK_WORD;
    }
}

static void measure_stack(void)
{
    const volatile uint32_t *word = (const volatile uint32_t *)stack_limit;

    if (*word != STACK_WORD) {
        harness_fail("more stack was used than", "the program has");
    }
    while ((uintptr_t)word < harness_stack_mark && *word == STACK_WORD) {
        word++;
    }
    if (harness_stack_mark - (uintptr_t)word > deepest) {
        deepest = harness_stack_mark - (uintptr_t)word;
    }
}

/* --- samples ---------------------------------------------------------------------------------------------------- */

void harness_row(int32_t layer, int32_t y, const void *row, size_t bytes)
{
    const int32_t head[3] = {layer, y, (int32_t)bytes};

    harness_write(HARNESS_ROWS, head, sizeof head);
    harness_write(HARNESS_ROWS, row, bytes);
}

void __attribute__((noinline)) harness_ended(void)
{
    __asm__ volatile(""); /* keeps the call */
}

/* Returns 0 at the end of the file. */
static int read_inputs(void)
{
    size_t i;

    for (i = 0; i < harness_input_count; i++) {
        const size_t got = harness_read(HARNESS_INPUTS, harness_inputs[i].start, harness_inputs[i].bytes);
        if (got == 0 && i == 0) {
            return 0;
        }
        if (got != harness_inputs[i].bytes) {
            harness_fail("inputs.bin ends within", harness_inputs[i].name);
        }
        set_guards(&harness_inputs[i]);
    }
    return 1;
}

static uint32_t hash_inputs(void)
{
    uint32_t value = 0;
    size_t i;

    for (i = 0; i < harness_input_count; i++) {
        value = value * 31u + hash(&harness_inputs[i]);
    }
    return value;
}

static void run_sample(uint32_t number)
{
    /* Another one each time: what is read before it is written shows as outputs that change. */
    const uint8_t old = (uint8_t)(number * 37u + 0x55u);
    const uint32_t before = hash_inputs();
    size_t i;
    int status;

    fill(harness_arena.start, harness_arena.bytes, old);
    set_guards(&harness_arena);
    for (i = 0; i < harness_output_count; i++) {
        fill(harness_outputs[i].start, harness_outputs[i].bytes, old);
        set_guards(&harness_outputs[i]);
    }
    paint_stack();
    status = harness_network();
    measure_stack();
    if (status != 0) {
        harness_say_number("error: the network refused its arguments or state, error -", (uint32_t)-status);
        harness_exit(2);
    }
    check_guards(&harness_arena);
    for (i = 0; i < harness_input_count; i++) {
        check_guards(&harness_inputs[i]);
    }
    if (hash_inputs() != before) {
        harness_fail("memory was written in", "the input");
    }
    for (i = 0; i < harness_output_count; i++) {
        check_guards(&harness_outputs[i]);
        harness_write(HARNESS_OUTPUTS, harness_outputs[i].start, harness_outputs[i].bytes);
    }
}

int main(void)
{
    uint32_t samples = 0;

    while (read_inputs()) {
        run_sample(samples++);
    }
    harness_say_number("samples ", samples);
    harness_say_number("stack ", (uint32_t)deepest);
    return 0;
}
