/* What start-up code, harness and semihosting know of each other. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

/* Asks the debugger, here QEMU, for one of the operations of Arm's semihosting specification. */
intptr_t board_semihosting(int32_t operation, const void *argument);

/* Ends the program with this exit code. */
void board_exit(int code);

/* A fault or trap: says so with its cause register and ends the program. */
void board_fault(uint32_t cause);

int main(void);

#endif
