/* What programs of many networks use of <stdlib.h>, on an emulated board; see library.c. */
#ifndef BOARD_STDLIB_H
#define BOARD_STDLIB_H

#include <stddef.h>

void *malloc(size_t bytes);
void free(void *memory);

#endif
