/* Programs of many networks on an emulated board: files by semihosting, memory with guards around it, and the loop.
 *
 * inputs.bin: for each case its number and its bytes as int32, then its inputs. outputs.bin: the outputs of all cases,
 * one after the other. rows.bin: for each case that came to its end the exit code and the bytes of output as int32. */
#include <stdint.h>
#include <string.h>

#include "harness.h"
#include "stdio.h"
#include "stdlib.h"

#define GUARD_BYTE 0xC3u
#define MEMORY_BYTES (2u << 20)

int many_run(int32_t number);    /* of the program */

static int32_t input_left, output_bytes; /* of the case that runs */

void harness_fail(const char *text, const char *detail)
{
    harness_say("error: ");
    harness_say(text);
    harness_say(" ");
    harness_say(detail);
    harness_say("\n");
    harness_exit(2);
}

/* --- files ------------------------------------------------------------------------------------------------------ */

size_t fread(void *to, size_t size, size_t bytes, enum board_stream stream)
{
    const size_t wanted = bytes < (size_t)input_left ? bytes : (size_t)input_left;

    (void)size;
    (void)stream;
    if (wanted == 0) {
        return 0;
    }
    input_left -= (int32_t)wanted;
    return harness_read(HARNESS_INPUTS, to, wanted);
}

size_t fwrite(const void *from, size_t size, size_t bytes, enum board_stream stream)
{
    (void)size;
    (void)stream;
    output_bytes += (int32_t)bytes;
    harness_write(HARNESS_OUTPUTS, from, bytes);
    return bytes;
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

struct block {
    size_t bytes;
    uint8_t guard[HARNESS_GUARD - sizeof(size_t)];
    uint8_t memory[];
};

static uint8_t heap[MEMORY_BYTES] __attribute__((aligned(16)));
static size_t used;
static int blocks;

/* At a multiple of 16. Nothing is used twice before everything is free. */
void *malloc(size_t bytes)
{
    struct block *block = (void *)(heap + used);

    used += (sizeof *block + bytes + HARNESS_GUARD + 15u) & ~(size_t)15;
    if (used > MEMORY_BYTES) {
        harness_fail("no memory is left for", "buffers");
    }
    blocks++;
    block->bytes = bytes;
    memset(block->guard, GUARD_BYTE, sizeof block->guard);
    memset(block->memory + bytes, GUARD_BYTE, HARNESS_GUARD);
    return block->memory;
}

void free(void *memory)
{
    struct block *block = (void *)((uint8_t *)memory - sizeof *block);
    size_t i;

    for (i = 0; i < sizeof block->guard; i++) {
        if (block->guard[i] != GUARD_BYTE) {
            harness_fail("memory was written before", "the start of a buffer");
        }
    }
    for (i = 0; i < HARNESS_GUARD; i++) {
        if (block->memory[block->bytes + i] != GUARD_BYTE) {
            harness_fail("memory was written after", "the end of a buffer");
        }
    }
    blocks--;
    if (blocks == 0) {
        used = 0;
    }
}

/* --- the loop --------------------------------------------------------------------------------------------------- */

int main(void)
{
    int32_t head[2], said[2];

    while (harness_read(HARNESS_INPUTS, head, sizeof head) == sizeof head) {
        input_left = head[1];
        output_bytes = 0;
        said[0] = many_run(head[0]);
        said[1] = output_bytes;
        harness_write(HARNESS_ROWS, said, sizeof said);
        if (said[0] != 0) {
            return 1;
        }
    }
    return 0;
}
