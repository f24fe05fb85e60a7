"""Emitted C compiled for this machine and run on samples, in a process of its own."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firmware_export.compiler import Compiled, compile_model
from firmware_export.layer import Value

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-pedantic", "-Werror")
SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
TIME_LIMIT_S = 120


@functools.lru_cache
def sanitizes(compiler: str) -> bool:
    """Whether a compiler is there with its sanitizers, whose libraries are a package of their own with clang."""
    if shutil.which(compiler) is None:
        return False
    command = [compiler, "-x", "c", "-", *SANITIZED, "-o", os.devnull]
    text = b"int main(void) { return 0; }"
    return subprocess.run(command, input=text, capture_output=True, timeout=TIME_LIMIT_S, check=False).returncode == 0


@dataclass(frozen=True)
class Built:
    """A program that reads samples and writes outputs.

    Attributes:
        compiled: What it was made from.
        path: The executable.
    """

    compiled: Compiled
    path: Path

    def run(self, *inputs: Any) -> list[Any]:
        """The outputs of one sample, each in its tensor's shape."""
        return [output[0] for output in self.run_many([inputs])]

    def run_many(self, samples: Sequence[Sequence[Any]]) -> list[Any]:
        """The outputs of several samples: for each output of the network an array ``[samples, *shape]``."""
        stdin = b"".join(np.ascontiguousarray(array).tobytes() for sample in samples for array in sample)
        done = subprocess.run([self.path], input=stdin, capture_output=True, timeout=TIME_LIMIT_S, check=False)
        assert done.returncode == 0, (done.returncode, done.stderr.decode()[-3000:])
        values = [self.compiled.plan.program.values[index] for index in self.compiled.plan.program.outputs]
        size = sum(value.nbytes for value in values)
        assert len(done.stdout) == size * len(samples), (len(done.stdout), size, len(samples))
        table = np.frombuffer(done.stdout, np.uint8).reshape(len(samples), size)
        results, at = [], 0
        for value in values:
            block = np.ascontiguousarray(table[:, at : at + value.nbytes])
            results.append(block.view(np.dtype(value.dtype)).reshape(len(samples), *value.shape))
            at += value.nbytes
        return results


def build(
    data: bytes,
    folder: Path,
    name: str = "net",
    push: bool = False,
    flags: Sequence[str] = ("-O1", *STRICT, *SANITIZED),
    compiler: str = "gcc",
    single_header: bool = False,
) -> Built:
    """Compile a model with edgecnn, and the result with a C compiler.

    Args:
        data: The ``.tflite`` file.
        folder: Where files go, such as pytest's ``tmp_path``.
        name: The C identifier.
        push: Hand the input over row by row.
        flags: For the C compiler.
        compiler: The C compiler.
        single_header: Compile the single-header form.
    """
    compiled = compile_model(data, name, name, single_header=single_header)
    return build_compiled(compiled, folder, push, flags, compiler)


def build_compiled(
    compiled: Compiled, folder: Path, push: bool = False, flags: Sequence[str] = ("-O1",), compiler: str = "gcc"
) -> Built:
    """Compile what ``compile_model`` made."""
    name = compiled.plan.program.name
    folder.mkdir(parents=True, exist_ok=True)
    write_files(compiled.files, folder)
    (folder / "main.c").write_text(main_text(compiled, push), encoding="utf-8")
    sources = ["main.c"] + ([f"{name}.c"] if f"{name}.c" in compiled.files else [])
    program = folder / ("pushed" if push else "whole")
    command = [compiler, *flags, *sources, "-o", program.name]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=TIME_LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr.decode()[-6000:]
    return Built(compiled, program.resolve())


def write_files(files: Mapping[str, str], folder: Path) -> None:
    """Write emitted files."""
    for file, text in files.items():
        (folder / file).write_text(text, encoding="utf-8")


def main_text(compiled: Compiled, push: bool = False, skewed: bool = False) -> str:
    """A ``main`` that runs every sample of standard input: all inputs one after the other, then all outputs.

    Args:
        compiled: The network.
        push: Hand the input over row by row.
        skewed: No buffer is aligned any better than its type or the arena's promise asks for. What is read or written
            right in front of a buffer is then not noticed.
    """
    program = compiled.plan.program
    name, macro = program.name, program.name.upper()
    inputs = [program.values[index] for index in program.inputs]
    outputs = [program.values[index] for index in program.outputs]
    single = f"{name}.c" not in compiled.files
    size = f"{macro}_PUSH_ARENA_SIZE" if push else f"{macro}_ARENA_SIZE"
    skew = f"{macro}_ARENA_ALIGNMENT" if skewed else "0"
    lines = [
        "#include <stdint.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>",
        f"#define {macro}_IMPLEMENTATION" if single else "",
        f'#include "{name}.h"',
        "/* On the heap, so that the address sanitizer sees the smallest step over an end. */",
        "int main(void)",
        "{",
        f"    int8_t *arena = (int8_t *)malloc({skew} + {size}) + {skew};",
        *(f"    {_ctype(value)} *input{i} = {_memory(value, skewed)};" for i, value in enumerate(inputs)),
        *(f"    {_ctype(value)} *output{i} = {_memory(value, skewed)};" for i, value in enumerate(outputs)),
        "    unsigned char fill = 0x55;",
        f"    while (fread(input0, 1, {inputs[0].nbytes}, stdin) == {inputs[0].nbytes}) {{",
        *(
            f"        if (fread(input{i}, 1, {value.nbytes}, stdin) != {value.nbytes}) return 2;"
            for i, value in enumerate(inputs)
            if i
        ),
        f"        memset(arena, fill, {size});",
        "        fill = (unsigned char)(fill * 5 + 1);",
    ]
    given = ", ".join(f"output{i}" for i in range(len(outputs)))
    if push:
        row = f"(const {_ctype(inputs[0])} *)(const void *)row"
        lines += [
            f"        struct {name}_stream stream;",
            "        int left, r;",
            f"        if ({name}_begin(&stream, arena, {given}) != 0) return 3;",
            f"        for (r = 0; r < {macro}_INPUT_ROWS; r++) {{",
            f"            int8_t *row = malloc({macro}_INPUT_ROW_SIZE); /* gone after the call, as in a line buffer */",
            "            const int8_t *from = (const int8_t *)(const void *)input0;",
            f"            memcpy(row, from + r * {macro}_INPUT_ROW_SIZE, {macro}_INPUT_ROW_SIZE);",
            f"            left = {name}_push_row(&stream, {row});",
            "            free(row);",
            f"            if (left != {macro}_INPUT_ROWS - 1 - r) return 4;",
            "        }",
            f"        if ({name}_push_row(&stream, input0) != {macro}_ERROR_ROWS) return 5;",
        ]
    else:
        arguments = ", ".join(f"input{i}" for i in range(len(inputs)))
        lines.append(f"        if ({name}_run(arena, {arguments}, {given}) != 0) return 3;")
    lines += [f"        fwrite(output{i}, 1, {value.nbytes}, stdout);" for i, value in enumerate(outputs)]
    lines += ["    }", f"    free(arena - {skew});"]
    lines += [f"    free(input{i} - {int(skewed)});" for i in range(len(inputs))]
    lines += [f"    free(output{i} - {int(skewed)});" for i in range(len(outputs))]
    return "\n".join([*lines, "    return 0;", "}", ""])


def _memory(value: Value, skewed: bool) -> str:
    ctype = _ctype(value)
    return f"({ctype} *)malloc({value.nbytes} + sizeof({ctype})) + 1" if skewed else f"malloc({value.nbytes})"


def _ctype(value: Value) -> str:
    from firmware_export.layer import C_TYPES

    return C_TYPES[value.dtype]
