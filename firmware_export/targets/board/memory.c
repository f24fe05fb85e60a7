/* The functions of <string.h> that gcc takes for granted, so that an image needs no C library.
 * Compiled with -fno-tree-loop-distribute-patterns: gcc would make calls of themselves out of the loops. */
#include <stdint.h>
#include <string.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    uint8_t *out = to;
    const uint8_t *in = from;

    if ((((uintptr_t)out | (uintptr_t)in) & 3u) == 0) {
        for (; bytes >= 4; bytes -= 4, out += 4, in += 4) {
            *(uint32_t *)(void *)out = *(const uint32_t *)(const void *)in;
        }
    }
    while (bytes-- > 0) {
        *out++ = *in++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    uint8_t *out = to;
    const uint8_t *in = from;

    if (out <= in) {
        return memcpy(to, from, bytes);
    }
    while (bytes-- > 0) {
        out[bytes] = in[bytes];
    }
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    uint8_t *out = to;
    const uint32_t word = (uint8_t)value * UINT32_C(0x01010101);

    for (; bytes > 0 && ((uintptr_t)out & 3u) != 0; bytes--) {
        *out++ = (uint8_t)value;
    }
    for (; bytes >= 4; bytes -= 4, out += 4) {
        *(uint32_t *)(void *)out = word;
    }
    while (bytes-- > 0) {
        *out++ = (uint8_t)value;
    }
    return to;
}

int memcmp(const void *first, const void *second, size_t bytes)
{
    const uint8_t *a = first, *b = second;

    for (; bytes > 0; bytes--, a++, b++) {
        if (*a != *b) {
            return *a - *b;
        }
    }
    return 0;
}
