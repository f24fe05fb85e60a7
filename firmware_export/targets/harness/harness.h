/* Runs a generated network on samples from a file, and watches what it does to memory.
 *
 * Three parts: harness.c does the work; network.c, which edgecnn writes, knows the network's buffers and how to call it;
 * files.c (in board/ by semihosting, here with <stdio.h>) knows where files are. */
#ifndef HARNESS_H
#define HARNESS_H

#include <stddef.h>
#include <stdint.h>

/* --- files, in the working folder ------------------------------------------------------------------------------- */

enum harness_file { HARNESS_INPUTS, HARNESS_OUTPUTS, HARNESS_ROWS, HARNESS_FILES };
#define HARNESS_FILE_NAMES "inputs.bin", "outputs.bin", "rows.bin"

/* Returns the bytes that were read, fewer than asked for at the end of the file. */
size_t harness_read(enum harness_file file, void *to, size_t bytes);
void harness_write(enum harness_file file, const void *from, size_t bytes);

/* Text for the person or program that started this one. */
void harness_say(const char *text);
void harness_say_number(const char *text, uint32_t number); /* and a line end */
void harness_exit(int code);

/* Says text and detail as an error, and ends the program. */
void harness_fail(const char *text, const char *detail);

/* --- the network: network.c ------------------------------------------------------------------------------------- */

#define HARNESS_GUARD 64 /* bytes of a known value before and after each buffer */

struct harness_buffer {
    const char *name;
    uint8_t *start; /* the guards lie before it and after its end */
    size_t bytes;
};

extern const struct harness_buffer harness_arena;
extern const struct harness_buffer harness_inputs[], harness_outputs[];
extern const size_t harness_input_count, harness_output_count;

/* One inference from the inputs to the outputs. Returns 0, or what the network answered.
 * HARNESS_MARK_STACK() stands in it before the first call. */
int harness_network(void);

/* --- what network.c and the hooks use --------------------------------------------------------------------------- */

/* Where the stack stands: below it lies what the network uses. */
extern uintptr_t harness_stack_mark;

#if defined(__arm__) || defined(__aarch64__)
#define HARNESS_MARK_STACK() __asm__ volatile("mov %0, sp" : "=r"(harness_stack_mark) : : "memory")
#elif defined(__riscv)
#define HARNESS_MARK_STACK() __asm__ volatile("mv %0, sp" : "=r"(harness_stack_mark) : : "memory")
#elif defined(__x86_64__)
#define HARNESS_MARK_STACK() __asm__ volatile("mov %%rsp, %0" : "=r"(harness_stack_mark) : : "memory")
#else
#define HARNESS_MARK_STACK() ((void)(harness_stack_mark = (uintptr_t)__builtin_frame_address(0)))
#endif

/* A row that a layer has written, for rows.bin: layer, y, bytes as int32, then the bytes. */
void harness_row(int32_t layer, int32_t y, const void *row, size_t bytes);

/* Called when an inference has ended: where a profiler stops counting. */
void harness_ended(void);

#endif
