/* Files on a machine that has them. */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

static const char *const names[] = {HARNESS_FILE_NAMES};
static FILE *files[HARNESS_FILES];

static FILE *file_of(enum harness_file file)
{
    if (files[file] == NULL) {
        files[file] = fopen(names[file], file == HARNESS_INPUTS ? "rb" : "wb");
        if (files[file] == NULL) {
            harness_fail("a file cannot be opened:", names[file]);
        }
    }
    return files[file];
}

size_t harness_read(enum harness_file file, void *to, size_t bytes)
{
    return fread(to, 1, bytes, file_of(file));
}

void harness_write(enum harness_file file, const void *from, size_t bytes)
{
    FILE *stream = file_of(file);

    if (fwrite(from, 1, bytes, stream) != bytes || fflush(stream) != 0) { /* what was written outlives a crash */
        harness_fail("a file cannot be written:", names[file]);
    }
}

void harness_say(const char *text)
{
    fputs(text, stdout);
    fflush(stdout);
}

void harness_exit(int code)
{
    exit(code);
}
