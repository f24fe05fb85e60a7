"""The emitted C as C: what compilers, sanitizers, cppcheck and a linker say about kernels and whole networks."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_export.compiler import Compiled, compile_model
from firmware_export.emit.kernels import FOLDER
from firmware_export.errors import ModelError
from firmware_export.layer import C_TYPES
from tests.firmware_export.c_build import SANITIZED, STRICT, Built, build_compiled, main_text, sanitizes, write_files
from tests.firmware_export.int16_network import float_ends, int16_network
from tests.firmware_export.random_networks import random_network
from tests.firmware_export.random_operators import OPERATORS

COMPILERS = ("gcc", "clang")
LEVELS = ("-O0", "-O2", "-Os")
KERNELS = sorted(path.stem for path in (FOLDER / "portable").glob("*.h"))
"""All files; those that layers name have a function that takes a layer, others are what these include."""
NETWORKS = 160
"""Of any operators, from which the few are chosen that use every kernel; after them come networks of one operator."""

CPPCHECK = (
    "--std=c99",
    "--enable=warning,style,performance,portability",
    "--error-exitcode=1",
    "--quiet",
    "--suppress=missingIncludeSystem",    # it knows the standard library from its own description
    "--suppress=shiftTooManyBitsSigned",    # right shifts of negative numbers are arithmetic: fixed_point.h says why
)


def need(program: str) -> None:
    """gcc has to be there; a test of anything else is skipped."""
    if shutil.which(program) is None:
        message = f"{program} is not installed"
        if program == "gcc":
            pytest.fail(message)
        pytest.skip(message)


def c(compiler: str, arguments: Sequence[str], folder: Path) -> str:
    """Run a compiler or a tool; what it prints."""
    need(compiler)
    done = subprocess.run([compiler, *arguments], cwd=folder, capture_output=True, timeout=300, check=False)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, f"{compiler} {' '.join(arguments)}\n{said[:6000]}"
    return done.stdout.decode()


@dataclass(frozen=True)
class Example:
    """A network with its C files.

    Attributes:
        data: The model.
        compiled: Its C.
        folder: Where the files lie.
    """

    data: bytes
    compiled: Compiled
    folder: Path

    @property
    def name(self) -> str:
        """The C identifier."""
        return self.compiled.plan.program.name

    def inputs(self) -> list[np.ndarray[Any, Any]]:
        """Noise for each input; ids stay small."""
        random, program = np.random.default_rng(7), self.compiled.plan.program
        values = [program.values[index] for index in program.inputs]
        return [
            random.integers(0, 2, value.nbytes // 4, np.int32)
            if value.dtype == "int32"
            else random.standard_normal(value.nbytes // 4).astype(np.float32)
            if value.dtype == "float32"
            else np.frombuffer(random.bytes(value.nbytes), value.dtype)
            for value in values
        ]


def layer_kernels() -> set[str]:
    texts = {stem: (FOLDER / "portable" / f"{stem}.h").read_text(encoding="utf-8") for stem in KERNELS}
    return {stem for stem, text in texts.items() if f"const struct ec_{stem} *layer" in text}


def _kernels_of_int8() -> set[str]:
    return {stem for stem in layer_kernels() if not stem.endswith("_int16")}


def kernels_of(compiled: Compiled) -> set[str]:
    return {layer.kernel for layer in compiled.plan.program.layers}


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    """A handful of networks that use every kernel, chosen greedily, and the published ones where they are."""
    int16 = {"wide": int16_network(), "ends": float_ends()}    # random networks are int8
    found: dict[str, tuple[bytes, Compiled]] = {}
    seeds = [(seed, frozenset[str]()) for seed in range(NETWORKS)]
    seeds += [(seed, frozenset({op})) for op in OPERATORS for seed in range(2)]
    lacking = _kernels_of_int8()
    for number, (seed, only) in enumerate(seeds):
        if lacking:
            network = random_network(seed, only=only)
            with contextlib.suppress(ModelError):
                found[f"n{number}"] = (network.data, compile_model(network.data, "model", f"n{number}"))
                lacking -= kernels_of(found[f"n{number}"][1])
    chosen, missing = [], _kernels_of_int8()
    while missing:
        best = max(found, key=lambda name: len(missing & kernels_of(found[name][1])))
        if not missing & kernels_of(found[best][1]):
            break
        missing -= kernels_of(found[best][1])
        chosen.append(best)
    picked = {name: found[name] for name in chosen}
    picked |= {name: (data, compile_model(data, name, name)) for name, data in int16.items()}
    shared = Path(__file__).resolve().parents[3] / "shared" / "models"
    for name, file in (("resnet8", "ic_resnet8_int8.tflite"), ("dscnn", "kws_dscnn_int8.tflite")):
        if (shared / file).is_file():
            data = (shared / file).read_bytes()
            picked[name] = (data, compile_model(data, file, name))
    results = []
    for name, (data, compiled) in picked.items():
        folder = tmp_path_factory.mktemp(name)
        write_files(compiled.files, folder)
        results.append(Example(data, compiled, folder))
    return results


def run(example: Example, built: Built) -> list[bytes]:
    return [output.tobytes() for output in built.run(*example.inputs())]


@pytest.fixture(scope="module")
def plain(examples: list[Example]) -> dict[str, list[bytes]]:
    """Each example's outputs, from four files compiled without anything special."""
    return {each.name: run(each, build_compiled(each.compiled, each.folder / "plain")) for each in examples}


def test_the_examples_use_every_kernel(examples: list[Example]) -> None:
    used = set().union(*(kernels_of(each.compiled) for each in examples))
    assert used >= layer_kernels() >= {"conv_2d", "add", "lookup", "strided_copy"}
    assert len(examples) <= 20


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_kernel_compiles_alone_without_a_warning(compiler: str, kernel: str, tmp_path: Path) -> None:
    (tmp_path / "alone.c").write_text(f'#include "{kernel}.h"\nextern int nothing;\n', encoding="utf-8")
    c(compiler, [*STRICT, "-I", str(FOLDER / "portable"), "-fsyntax-only", "alone.c"], tmp_path)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_kernel_has_a_guard_and_names_of_its_own_and_needs_only_three_headers(kernel: str) -> None:
    text = (FOLDER / "portable" / f"{kernel}.h").read_text(encoding="utf-8")
    guard = f"EDGECNN_{kernel.upper()}_H"
    assert f"#ifndef {guard}\n#define {guard}\n" in text
    assert set(re.findall(r"#include <(.*)>", text)) <= {"stdint.h", "stddef.h", "string.h"}
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    functions = re.findall(r"^([\w ]*?)\**\b(\w+)\([^;{}]*?\)\s*^\{", code, flags=re.MULTILINE)
    assert len(functions) == len(re.findall(r"^\{", code, flags=re.MULTILINE))
    assert all(name.startswith("ec_") and "static" in head.split() for head, name in functions), functions
    assert all(name.startswith("ec_") for name in re.findall(r"\b(?:struct|union|enum) (\w+)", code))
    assert all(name.startswith(("EC_", "EDGECNN_")) for name in re.findall(r"#define (\w+)", code))
    assert not re.search(r"\b(malloc|calloc|free|printf|assert|double|goto)\b", code)
    assert not re.search(r"^static (?!const)[^(]*[=;]", code, flags=re.MULTILINE), "state"


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_no_warning(compiler: str, level: str, examples: list[Example]) -> None:
    for each in examples:
        c(compiler, [*STRICT, level, "-c", f"{each.name}.c", "-o", "strict.o"], each.folder)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_hooks_and_headers_included_twice_give_no_warning(
    compiler: str, examples: list[Example], tmp_path: Path
) -> None:
    each = examples[0]
    macro = each.name.upper()
    lines = [
        f"#define {macro}_ON_LAYER(i) (void)(i)",
        f"#define {macro}_ON_ROW(i, y, row, bytes) ((void)(i), (void)(y), (void)(row), (void)(bytes))",
        f'#include "{each.name}.h"\n#include "{each.name}.h"\n#include "{each.name}.c"\n',
    ]
    (tmp_path / "hooked.c").write_text("\n".join(lines), encoding="utf-8")
    c(compiler, [*STRICT, "-I", str(each.folder), "-c", "hooked.c"], tmp_path)


def cpp_text(each: Example) -> str:
    """A C++ program that runs one sample."""
    program = each.compiled.plan.program
    lines = [f'#include "{each.name}.h"\n#include <cstdio>\nint main() {{']
    lines.append(f"    static int32_t arena[({each.name.upper()}_ARENA_SIZE + 3) / 4];")
    names, written = [], []
    for kind, indices in (("input", program.inputs), ("output", program.outputs)):
        for place, index in enumerate(indices):
            value, name = program.values[index], f"{kind}{place}"
            element = C_TYPES[value.dtype]
            lines.append(f"    static {element} {name}[{value.nbytes} / sizeof({element})];")
            if kind == "input":
                lines.append(f"    if (std::fread({name}, 1, sizeof {name}, stdin) != sizeof {name}) return 1;")
            else:
                written.append(f"    std::fwrite({name}, 1, sizeof {name}, stdout);")
            names.append(name)
    lines.append(f"    if ({each.name}_run({', '.join(['arena', *names])}) != 0) return 2;")
    return "\n".join([*lines, *written, "}", ""])


@pytest.mark.parametrize(("cpp", "compiler"), [("g++", "gcc"), ("clang++", "clang")])
def test_a_cpp_program_includes_the_headers_and_links(
    cpp: str, compiler: str, examples: list[Example], plain: dict[str, list[bytes]]
) -> None:
    need(cpp)
    for each in (examples[0], examples[-1]):
        c(compiler, ["-O1", "-c", f"{each.name}.c", "-o", "object.o"], each.folder)
        (each.folder / "main.cpp").write_text(cpp_text(each), encoding="utf-8")
        flags = ("-std=c++11", "-Wall", "-Wextra", "-pedantic", "-Werror")
        c(cpp, [*flags, "main.cpp", "object.o", "-o", "cpp"], each.folder)
        assert run(each, Built(each.compiled, each.folder / "cpp")) == plain[each.name]


@pytest.mark.slow
@pytest.mark.parametrize("compiler", COMPILERS)
def test_clean_under_the_sanitizers_whole_and_pushed(
    compiler: str, examples: list[Example], plain: dict[str, list[bytes]]
) -> None:
    need(compiler)
    if not sanitizes(compiler):
        pytest.skip(f"the sanitizers of {compiler} are not installed")
    for each in examples:
        for push in (False, True) if each.compiled.plan.push is not None else (False,):
            folder = each.folder / f"sanitized_{compiler}"
            built = build_compiled(each.compiled, folder, push, ("-O1", *SANITIZED), compiler)
            assert run(each, built) == plain[each.name]


@pytest.mark.slow
@pytest.mark.parametrize("level", ["-O3", "-Os"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_optimization_gives_the_same_bytes(
    compiler: str, level: str, examples: list[Example], plain: dict[str, list[bytes]]
) -> None:
    need(compiler)
    for each in examples:
        built = build_compiled(each.compiled, each.folder / f"{compiler}{level}", flags=(level,), compiler=compiler)
        assert run(each, built) == plain[each.name]


@pytest.mark.slow
def test_cppcheck_finds_nothing(examples: list[Example]) -> None:
    for each in examples:
        folder = each.folder / "cppcheck"
        folder.mkdir(exist_ok=True)
        for file, text in each.compiled.files.items():
            (folder / file).write_text(with_short_tables(text), encoding="utf-8")
        c("cppcheck", [*CPPCHECK, f"{each.name}.c"], folder)


def with_short_tables(text: str) -> str:
    """The same code with the first line of each table: cppcheck takes minutes over a hundred thousand numbers."""
    return re.sub(r"( = \{\n[^\n]*?),?\n(?: {4}-?[\d.][^\n]*\n)+\};", r"\1\n};", text)


@pytest.mark.slow
@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_single_header_is_enough(compiler: str, examples: list[Example], plain: dict[str, list[bytes]]) -> None:
    need(compiler)
    for each in examples:
        alone = compile_model(each.data, "model", each.name, single_header=True)
        assert list(alone.files) == [f"{each.name}.h"]
        folder = each.folder / f"single_{compiler}"
        assert run(each, build_compiled(alone, folder, flags=("-O1",), compiler=compiler)) == plain[each.name]
        text = f'#define {each.name.upper()}_IMPLEMENTATION\n#include "{each.name}.h"\n'
        (folder / "strict.c").write_text(text, encoding="utf-8")
        c(compiler, [*STRICT, "-O2", "-c", "strict.c"], folder)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["objects", "one unit", "one unit of single headers"])
def test_networks_live_in_one_program(
    way: str, examples: list[Example], plain: dict[str, list[bytes]], tmp_path: Path
) -> None:
    """All of them: they share kernels, and share nothing else."""
    text, sources = [], ["main.c"]
    for each in examples:
        files = each.compiled.files
        if way == "one unit of single headers":
            files = compile_model(each.data, "model", each.name, single_header=True).files
            text.append(f'#define {each.name.upper()}_IMPLEMENTATION\n#include "{each.name}.h"\n')
        elif way == "one unit":
            text.append(f'#include "{each.name}.c"\n')
        else:
            sources.append(f"{each.name}.c")
        write_files(files, tmp_path)
    for each in examples:
        text.append(f"#define main {each.name}_main\n{main_text(each.compiled)}#undef main\n")
    names = [each.name for each in examples]
    cases = [f'    if (strcmp(arguments[1], "{name}") == 0) return {name}_main();\n' for name in names]
    text.append(f"int main(int count, char **arguments)\n{{\n{''.join(cases)}    return 9 + count;\n}}\n")
    (tmp_path / "main.c").write_text("".join(text), encoding="utf-8")
    c("gcc", ["-std=c99", "-Wall", "-Wextra", "-Werror", "-O1", *sources, "-o", "all"], tmp_path)
    for each in examples:
        given = b"".join(array.tobytes() for array in each.inputs())
        done = subprocess.run([tmp_path / "all", each.name], input=given, capture_output=True, timeout=60, check=True)
        assert done.stdout == b"".join(plain[each.name])


ALLOWED = {"memcpy", "memset", "memmove"}


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_objects_hold_no_state_and_need_nothing_but_memcpy(compiler: str, level: str, examples: list[Example]) -> None:
    need("nm")
    for each in examples:
        c(compiler, ["-std=c99", level, "-fno-pic", "-fno-pie", "-c", f"{each.name}.c", "-o", "object.o"], each.folder)
        symbols = [line.split()[-2:] for line in c("nm", ["object.o"], each.folder).splitlines()]
        assert {name for kind, name in symbols if kind == "U"} <= ALLOWED
        assert {kind for kind, _ in symbols} <= set("tTrRU"), [name for kind, name in symbols if kind in "dDbBC"]
        public = {name for kind, name in symbols if kind in "TR"}
        wanted = {f"{each.name}_run"}
        if each.compiled.plan.push is not None:
            wanted |= {f"{each.name}_begin", f"{each.name}_push_row"}
        assert public == wanted
        for line in c("size", ["-A", "object.o"], each.folder).splitlines():
            section, *rest = line.split() or [""]
            if section.startswith((".data", ".bss", ".tbss", ".tdata", ".init_array")):
                assert rest[0] == "0", line


EMIT = """
import hashlib, pathlib, sys
sys.path.insert(0, sys.argv[1])
from firmware_export.compiler import compile_model
for path in sys.argv[2:]:
    files = compile_model(pathlib.Path(path).read_bytes(), "model", pathlib.Path(path).stem).files
    digest = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()
    print(pathlib.Path(path).stem, digest)
"""


@pytest.mark.parametrize("seed", ["0", "1", "random"])
def test_emission_is_the_same_in_another_process_folder_and_hash_seed(
    seed: str, examples: list[Example], tmp_path: Path
) -> None:
    paths = []
    for each in examples:
        path = tmp_path / f"{each.name}.tflite"
        path.write_bytes(each.data)
        paths.append(str(path))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", EMIT, str(Path(__file__).resolve().parents[2]), *paths],
        cwd=elsewhere,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    texts = {each.name: repr(sorted(each.compiled.files.items())).encode() for each in examples}
    wanted = [f"{name} {hashlib.sha256(text).hexdigest()}" for name, text in texts.items()]
    assert done.stdout.splitlines() == wanted
    again = [compile_model(each.data, "model", each.name).files for each in examples]
    assert again == [each.compiled.files for each in examples]
    assert not list(elsewhere.iterdir())


def test_text_is_plain(examples: list[Example]) -> None:
    """ASCII would break on names; UTF-8 in comments is fine. No date, no path, no tabs, no trailing space."""
    for each in examples:
        for name, text in each.compiled.files.items():
            assert text.endswith("\n"), name
            assert not re.search(r"[ \t]+$", text, flags=re.MULTILINE), name
            assert "\t" not in text and "\r" not in text, name
            assert not re.search(r"/(home|work|tmp|root)/|\b20\d\d-\d\d-\d\d\b", text), name
            ends = len(each.compiled.plan.program.inputs) + len(each.compiled.plan.program.outputs)
            if name in (f"{each.name}.c", f"{each.name}.h") and ends == 2:
                assert max(map(len, text.splitlines())) <= 120, name
