/* Files of the host through semihosting (Arm, "Semihosting for AArch32 and AArch64", version 2.0). */
#include <stddef.h>
#include <stdint.h>

#include "board.h"
#include "harness.h"

enum {
    SYS_OPEN = 0x01,
    SYS_WRITE0 = 0x04,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_EXIT_EXTENDED = 0x20, /* the one that carries an exit code on 32 bits */
    OPEN_READ_BINARY = 1,
    OPEN_WRITE_BINARY = 5,
    APPLICATION_EXIT = 0x20026,
};

#define FAULT_EXIT_CODE 3

static const char *const names[] = {HARNESS_FILE_NAMES};
static intptr_t handles[HARNESS_FILES]; /* 0: not open */

static size_t length_of(const char *text)
{
    size_t length = 0;

    while (text[length] != '\0') {
        length++;
    }
    return length;
}

static intptr_t handle_of(enum harness_file file)
{
    if (handles[file] == 0) {
        const int32_t mode = file == HARNESS_INPUTS ? OPEN_READ_BINARY : OPEN_WRITE_BINARY;
        const uintptr_t block[3] = {(uintptr_t)names[file], (uintptr_t)mode, length_of(names[file])};
        handles[file] = board_semihosting(SYS_OPEN, block);
        if (handles[file] <= 0) {
            harness_fail("a file cannot be opened:", names[file]);
        }
    }
    return handles[file];
}

size_t harness_read(enum harness_file file, void *to, size_t bytes)
{
    const uintptr_t block[3] = {(uintptr_t)handle_of(file), (uintptr_t)to, bytes};
    return bytes - (size_t)board_semihosting(SYS_READ, block); /* the answer: how many bytes were not read */
}

void harness_write(enum harness_file file, const void *from, size_t bytes)
{
    const uintptr_t block[3] = {(uintptr_t)handle_of(file), (uintptr_t)from, bytes};
    if (board_semihosting(SYS_WRITE, block) != 0) {
        harness_fail("a file cannot be written:", names[file]);
    }
}

void harness_say(const char *text)
{
    board_semihosting(SYS_WRITE0, text);
}

void board_exit(int code)
{
    const uintptr_t block[2] = {APPLICATION_EXIT, (uintptr_t)code};
    board_semihosting(SYS_EXIT_EXTENDED, block);
    for (;;) {
    }
}

void harness_exit(int code)
{
    board_exit(code);
}

void board_fault(uint32_t cause)
{
    char text[] = "fault, cause register 0x00000000\n";
    char *digit = text + sizeof text - 3;

    for (; cause > 0; cause >>= 4) {
        *digit-- = "0123456789abcdef"[cause & 15u];
    }
    harness_say(text);
    board_exit(FAULT_EXIT_CODE);
}
