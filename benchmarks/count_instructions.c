/* A QEMU plugin that counts the instructions of a network: from the entry of one function to the entry of another.
 *
 *   qemu-system-arm ... -plugin ./count.so,begin=0x1234,end=0x5678,out=counts.txt
 *
 * It counts by translation block, which is exact as long as no block is left in the middle: the region has no faults and no
 * interrupts. The file gets a line "runs N" and one "SYMBOL N" for each function, N being instructions of all runs.
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
const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *instruction);

EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

struct function {
    struct function *next;
    char *name;
    uint64_t instructions;
};

struct block {
    struct function *function;
    uint64_t instructions;
    bool begins, ends; /* the region */
};

static struct function *functions;
static uint64_t begin, end, runs;
static const char *out;
static bool inside;

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

static void on_executed(unsigned int processor, void *data)
{
    const struct block *block = data;

    (void)processor;
    if (block->begins) {
        inside = true;
        runs++;
    }
    if (block->ends) {
        inside = false;
    }
    if (inside) {
        block->function->instructions += block->instructions;
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
    qemu_plugin_register_vcpu_tb_exec_cb(translated_block, on_executed, QEMU_PLUGIN_CB_NO_REGS, block);
}

static void on_end(qemu_plugin_id_t id, void *data)
{
    FILE *file = fopen(out, "w");
    const struct function *function;

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
    fclose(file);
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
