/* What programs of many networks use of <stdio.h>, on an emulated board; see library.c. */
#ifndef BOARD_STDIO_H
#define BOARD_STDIO_H

#include <stddef.h>

enum board_stream { stdin, stdout };

/* size is 1. */
size_t fread(void *to, size_t size, size_t bytes, enum board_stream stream);
size_t fwrite(const void *from, size_t size, size_t bytes, enum board_stream stream);

#endif
