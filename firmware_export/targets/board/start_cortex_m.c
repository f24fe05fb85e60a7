/* Start-up of an Arm Cortex-M: vector table, memory, floating point, and the semihosting call. */
#include <stdint.h>

#include "board.h"

#define CPACR (*(volatile uint32_t *)0xE000ED88u) /* coprocessor access */
#define CFSR (*(volatile uint32_t *)0xE000ED28u)  /* why a fault came; not on Cortex-M0 */

extern uint32_t board_data_source[], board_data_start[], board_data_end[]; /* of the linker script */
extern uint32_t board_bss_start[], board_bss_end[];
extern uint32_t board_stack_end[];

intptr_t board_semihosting(int32_t operation, const void *argument)
{
    register int32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void fault(void)
{
#if __ARM_ARCH >= 7
    board_fault(CFSR);
#else
    board_fault(0);
#endif
}

static void __attribute__((noinline, used)) run(void)
{
    const uint32_t *source = board_data_source;
    uint32_t *word;

    for (word = board_data_start; word < board_data_end; word++) {
        *word = *source++;
    }
    for (word = board_bss_start; word < board_bss_end; word++) {
        *word = 0;
    }
    board_exit(main());
}

/* A function of its own: for a Cortex-M55 gcc may make vector instructions of the loops in run(), and these fault as long
 * as the coprocessors are off. */
void board_start(void)
{
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    CPACR |= 0xFu << 20;
    __asm__ volatile("dsb\n isb" ::: "memory");
#endif
    run();
}

typedef void handler(void);

const struct {
    uint32_t *stack;
    handler *entry[15];
} board_vectors __attribute__((section(".vectors"), used)) = {
    board_stack_end,
    /* reset, NMI, hard, memory, bus, usage and secure fault, -, -, -, supervisor call, debug, -, pending, tick */
    {board_start, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault},
};
