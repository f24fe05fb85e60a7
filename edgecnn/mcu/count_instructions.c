/* A QEMU plugin that counts the instructions of a network: from the entry of one function to the entry of another.
 *
 *   qemu-system-arm ... -plugin ./count.so,begin=0x1234,end=0x5678,out=counts.txt,marks=marks.txt
 *
 * It counts by translation block, which is exact as long as no block is left in the middle: the region has no faults and no
 * interrupts. The file gets a line "runs N" and one "SYMBOL N" for each function, N being instructions of all runs.
 *
 * marks.txt has a line "0xADDRESS LAYER" for each place in the code where a layer begins, or with -1 where one has ended; what
 * is executed from there on is that layer's, until the next mark. With it the file gets "layer LAYER N" lines too.
 *
 * Debian ships no qemu-plugin.h; what follows are the few declarations that are needed, the same in every version of the
 * plugin interface so far (QEMU, "QEMU TCG Plugins"). QEMU_PLUGIN_VERSION is the one that the plugin claims to be for. */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef QEMU_PLUGIN_VERSION
#define QEMU_PLUGIN_VERSION 1
#endif
#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;   /* a block of instructions that run one after the other */
struct qemu_plugin_insn; /* one of them */
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

typedef void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block);
typedef void executed(unsigned int processor, void *data);
typedef void ended(qemu_plugin_id_t id, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, translated *call);
void qemu_plugin_register_vcpu_tb_exec_cb(
    struct qemu_plugin_tb *block, executed *call, enum qemu_plugin_cb_flags flags, void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, ended *call, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *instruction);
const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *instruction);

EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

struct function {
    struct function *next;
    char *name;
    uint64_t instructions;
};

struct mark {
    uint64_t address;
    int32_t layer;
};

/* From the instruction at this place in its block on, this layer runs. */
struct change {
    uint64_t at;
    int32_t layer;
};

struct block {
    struct function *function;
    uint64_t instructions;
    bool begins, ends; /* the region */
    size_t change_count;
    struct change *changes; /* in the order of the instructions */
};

static struct function *functions;
static uint64_t begin, end, runs;
static const char *out;
static bool inside;

static struct mark *marks;
static size_t mark_count;
static uint64_t *layers; /* instructions of each, by its number plus 1: the first are of none */
static int32_t layer_count, layer = -1;

static void *allocate(size_t bytes)
{
    void *memory = calloc(1, bytes);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static struct function *function_of(const char *name)
{
    struct function *function;

    for (function = functions; function != NULL; function = function->next) {
        if (strcmp(function->name, name) == 0) {
            return function;
        }
    }
    function = allocate(sizeof *function);
    function->name = allocate(strlen(name) + 1);
    strcpy(function->name, name);
    function->next = functions;
    functions = function;
    return function;
}

static void count_layers(const struct block *block)
{
    uint64_t counted = 0;
    size_t i;

    for (i = 0; i < block->change_count; i++) {
        layers[layer + 1] += block->changes[i].at - counted;
        counted = block->changes[i].at;
        layer = block->changes[i].layer;
    }
    layers[layer + 1] += block->instructions - counted;
}

static void on_executed(unsigned int processor, void *data)
{
    const struct block *block = data;

    (void)processor;
    if (block->begins) {
        inside = true;
        layer = -1;
        runs++;
    }
    if (block->ends) {
        inside = false;
    }
    if (inside) {
        block->function->instructions += block->instructions;
        if (marks != NULL) {
            count_layers(block);
        }
    }
}

static int by_address(const void *left, const void *right)
{
    const uint64_t a = ((const struct mark *)left)->address, b = ((const struct mark *)right)->address;

    return (a > b) - (a < b);
}

/* Several marks may lie at one address, where nothing is between them: any of them is found. The layer that begins counts. */
static const struct mark *mark_at(uint64_t address)
{
    const struct mark key = {address, 0};
    const struct mark *found = bsearch(&key, marks, mark_count, sizeof *marks, by_address);
    const struct mark *last;

    if (found == NULL) {
        return NULL;
    }
    while (found > marks && found[-1].address == address) {
        found--;
    }
    for (last = found; last < marks + mark_count && last->address == address; last++) {
        if (last->layer >= 0) {
            found = last;
        }
    }
    return found;
}

static void find_changes(struct block *block, const struct qemu_plugin_tb *translated_block)
{
    size_t i;

    block->changes = allocate((size_t)block->instructions * sizeof *block->changes);
    for (i = 0; i < block->instructions; i++) {
        const struct mark *mark = mark_at(qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(translated_block, i)));
        if (mark != NULL) {
            block->changes[block->change_count].at = i;
            block->changes[block->change_count++].layer = mark->layer;
        }
    }
}

static void on_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *translated_block)
{
    const char *symbol = qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(translated_block, 0));
    const uint64_t address = qemu_plugin_tb_vaddr(translated_block);
    struct block *block = allocate(sizeof *block); /* for as long as the program runs, as the translation */

    (void)id;
    block->function = function_of(symbol != NULL ? symbol : "?");
    block->instructions = qemu_plugin_tb_n_insns(translated_block);
    block->begins = address == begin;
    block->ends = address == end;
    if (marks != NULL) {
        find_changes(block, translated_block);
    }
    qemu_plugin_register_vcpu_tb_exec_cb(translated_block, on_executed, QEMU_PLUGIN_CB_NO_REGS, block);
}

static void on_end(qemu_plugin_id_t id, void *data)
{
    FILE *file = fopen(out, "w");
    const struct function *function;
    int32_t i;

    (void)id;
    (void)data;
    if (file == NULL) {
        return;
    }
    fprintf(file, "runs %" PRIu64 "\n", runs);
    for (function = functions; function != NULL; function = function->next) {
        if (function->instructions != 0) {
            fprintf(file, "%s %" PRIu64 "\n", function->name, function->instructions);
        }
    }
    if (marks != NULL) {
        for (i = -1; i < layer_count; i++) {
            fprintf(file, "layer %" PRId32 " %" PRIu64 "\n", i, layers[i + 1]);
        }
    }
    fclose(file);
}

/* Returns whether the file could be read. */
static bool read_marks(const char *path)
{
    FILE *file = fopen(path, "r");
    struct mark mark;
    size_t room = 0;

    if (file == NULL) {
        return false;
    }
    while (fscanf(file, "%" SCNx64 " %" SCNd32, &mark.address, &mark.layer) == 2) {
        if (mark_count == room) {
            room = 2 * room + 64;
            marks = realloc(marks, room * sizeof *marks);
            if (marks == NULL) {
                abort();
            }
        }
        marks[mark_count++] = mark;
        if (mark.layer >= layer_count) {
            layer_count = mark.layer + 1;
        }
    }
    fclose(file);
    if (mark_count == 0) {
        return false;
    }
    qsort(marks, mark_count, sizeof *marks, by_address);
    layers = allocate((size_t)(layer_count + 1) * sizeof *layers);
    return true;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *machine, int count, char **arguments)
{
    int i;

    (void)machine;
    for (i = 0; i < count; i++) {
        if (strncmp(arguments[i], "begin=", 6) == 0) {
            begin = strtoull(arguments[i] + 6, NULL, 0);
        } else if (strncmp(arguments[i], "end=", 4) == 0) {
            end = strtoull(arguments[i] + 4, NULL, 0);
        } else if (strncmp(arguments[i], "out=", 4) == 0) {
            out = strcpy(allocate(strlen(arguments[i] + 4) + 1), arguments[i] + 4);
        } else if (strncmp(arguments[i], "marks=", 6) == 0 && !read_marks(arguments[i] + 6)) {
            fprintf(stderr, "count_instructions: no marks in %s\n", arguments[i] + 6);
            return 1;
        }
    }
    if (begin == 0 || end == 0 || out == NULL) {
        fprintf(stderr, "count_instructions: begin, end and out are needed\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translated);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}
