"""The emitted text as a person and a firmware meet it: its API, its example, its hooks, its names."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from firmware_export.compiler import compile_model
from tests.firmware_export.c_build import STRICT, build_compiled, write_files
from tests.networks import Network
from tests.tflite_builder import pack, small_model

SMALL = pack(small_model())


def compiled_program(
    folder: Path, text: str, *sources: str, compiler: str = "gcc", flags: tuple[str, ...] = STRICT
) -> Path:
    """``text`` as a main, linked with ``sources``."""
    suffix = "cc" if compiler.endswith("++") else "c"
    (folder / f"main.{suffix}").write_text(text, encoding="utf-8")
    command = [compiler, *flags, f"main.{suffix}", *sources, "-o", "program"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "program"


def output_of(program: Path) -> str:
    return subprocess.run([program.resolve()], capture_output=True, text=True, timeout=60, check=True).stdout


def example_of(header: str) -> str:
    """The C code in the header's first comment: its lines are indented by four more than the prose."""
    comment = header[header.index("/*") : header.index("*/")]
    return "\n".join(line[6:] for line in comment.splitlines() if line.startswith((" *     ", " *//")) or line == " *")


@pytest.mark.parametrize("file", ["small.c", "small.h"])
def test_the_text_is_as_it_was(file: str) -> None:
    """``UPDATE_GOLDEN=1 pytest tests/firmware_export/test_emit.py`` after a change that is meant."""
    text = compile_model(SMALL, "small", "small", ("cat", "dog", "bird")).files[file]
    text = re.sub(r"\b[0-9a-f]{64}\b", "0" * 64, text)    # the file's digest, which differs with the writer's version
    golden = Path(__file__).with_name("golden") / file
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_the_example_in_the_header_compiles_and_runs(tmp_path: Path) -> None:
    write_files(compile_model(SMALL, "small", "small").files, tmp_path)
    example = example_of((tmp_path / "small.h").read_text(encoding="utf-8"))
    main = (
        f"{example}\n#include <stdio.h>\n"
        "static int next;\n"
        "static void zeros(int8_t *row) { int i; next++; for (i = 0; i < SMALL_INPUT_ROW_SIZE; i++) row[i] = 0; }\n"
        'int main(void) { int a = classify(), b = classify_rows(zeros); printf("%d %d %d\\n", a, b, next); }\n'
    )
    assert output_of(compiled_program(tmp_path, main, "small.c")) == "0 0 6\n"


def test_the_header_is_for_cpp_too(tmp_path: Path) -> None:
    write_files(compile_model(SMALL, "small", "small", ("a", "b", "c")).files, tmp_path)
    subprocess.run(["gcc", "-std=c99", "-c", "small.c"], cwd=tmp_path, check=True)
    main = '#include <cstdio>\n#include "small.h"\nint main() { std::puts(small_labels[SMALL_CLASSES - 1]); }\n'
    flags = ("-Wall", "-Wextra", "-pedantic", "-Werror")
    assert output_of(compiled_program(tmp_path, main, "small.o", compiler="g++", flags=flags)) == "c\n"


def test_wrong_calls_return_an_error(tmp_path: Path) -> None:
    write_files(compile_model(SMALL, "small", "small").files, tmp_path)
    main = """
#include "small.h"
#include <stdio.h>
static int32_t arena[SMALL_PUSH_ARENA_SIZE / 4 + 2];
static int8_t in[SMALL_INPUT_SIZE], out[SMALL_OUTPUT_SIZE];
int main(void)
{
    struct small_stream stream;
    printf("%d %d %d ", small_run(NULL, in, out), small_run(arena, NULL, out), small_run(arena, in, NULL));
    printf("%d ", small_run((int8_t *)arena + 1, in, out));
    printf("%d %d ", small_begin(NULL, arena, out), small_begin(&stream, NULL, out));
    printf("%d ", small_begin(&stream, arena, NULL));
    printf("%d ", small_begin(&stream, (int8_t *)arena + 2, out));
    printf("%d %d\\n", small_begin(&stream, arena, out), small_push_row(&stream, NULL));
    return 0;
}
"""
    program = compiled_program(tmp_path, main.replace("NULL", "((void *)0)"), "small.c")
    assert output_of(program) == "-1 -1 -1 -2 -1 -1 -1 -2 0 -1\n"


@pytest.mark.parametrize("label", ['say "hi"', "back\\slash", "trigraph ??/", "Übergröße 猫", "line\nbreak", "%s"])
def test_labels_keep_every_character(tmp_path: Path, label: str) -> None:
    write_files(compile_model(SMALL, "small", "small", (label, "1st", "2nd")).files, tmp_path)
    main = '#include "small.h"\n#include <stdio.h>\nint main(void) { fputs(small_labels[0], stdout); return 0; }\n'
    assert output_of(compiled_program(tmp_path, main, "small.c")) == label


def test_names_in_the_model_cannot_break_comments(tmp_path: Path) -> None:
    model = small_model()
    for tensor in model.subgraphs[0].tensors:
        tensor.name = "*/ int broken[ /* \\\n ??/ \x1b[2J é"
    built = build_compiled(compile_model(pack(model), "small", "small"), tmp_path, flags=STRICT)
    assert built.run(np.zeros((1, 6, 6, 2), np.int8))[0].shape == (1, 3)


def test_scales_in_the_header_are_exact() -> None:
    header = compile_model(SMALL, "small", "small").files["small.h"]
    scale = re.search(r"#define SMALL_INPUT_SCALE ([\d.e-]+)f", header)
    assert scale is not None
    assert np.float32(scale[1]) == np.float32(1 / 255)
    assert "#define SMALL_INPUT_ZERO_POINT (-128)" in header


def test_hooks_see_every_step_and_every_row(tmp_path: Path) -> None:
    compiled = compile_model(SMALL, "small", "small")
    write_files(compiled.files, tmp_path)
    (tmp_path / "hooks.h").write_text(
        "void step(int layer);\nvoid row(int layer, int y, const void *pointer, int bytes);\n"
        "#define SMALL_ON_LAYER(layer) step(layer)\n"
        "#define SMALL_ON_ROW(layer, y, pointer, bytes) row(layer, y, pointer, bytes)\n",
        encoding="utf-8",
    )
    main = """
#include "small.h"
#include "hooks.h"
#include <stdio.h>
static int32_t arena[SMALL_ARENA_SIZE / 4 + 1];
static int8_t in[SMALL_INPUT_SIZE], out[SMALL_OUTPUT_SIZE];
void step(int layer) { printf("s %d\\n", layer); }
void row(int layer, int y, const void *pointer, int bytes)
{
    printf("r %d %d %d\\n", layer, y, pointer != 0 ? bytes : -1);
}
int main(void) { return small_run(arena, in, out); }
"""
    program = compiled_program(tmp_path, main, "small.c", flags=("-std=c99", "-Wall", "-include", "hooks.h"))
    lines = [line.split() for line in output_of(program).splitlines()]
    layers = compiled.plan.program.layers
    for index, layer in enumerate(layers):
        assert sum(line == ["s", str(index)] for line in lines) == layer.steps
        rows = [line[2:] for line in lines if line[:2] == ["r", str(index)]]
        assert sorted(rows) == sorted([str(y), str(layer.row_bytes)] for y in range(layer.rows))


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    network = Network()
    first, second = network.input([1, 3, 2, 2], 0.1, 3), network.input([1, 5], 0.2, -7)
    swapped = network.op("RESHAPE", [first, network.constant(np.array([1, 12], np.int32))], [1, 12], 0.1, 3)
    copied = network.op("RESHAPE", [second, network.constant(np.array([5], np.int32))], [5], 0.2, -7)
    built = build_compiled(compile_model(network.pack(copied, swapped), "two", "two"), tmp_path, flags=STRICT)
    random = np.random.default_rng(2)
    a, b = (random.integers(-128, 128, shape).astype(np.int8) for shape in ((1, 3, 2, 2), (1, 5)))
    got_copied, got_swapped = built.run(a, b)
    assert (got_copied == b.reshape(-1)).all() and (got_swapped == a.reshape(1, 12)).all()
    assert "two_run(void *arena, const int8_t *input_0, const int8_t *input_1" in built.compiled.files["two.h"]
    assert "push_row" not in built.compiled.files["two.h"]
