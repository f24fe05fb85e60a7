"""C arrays compiled for real and checked by the program that holds them; the arena tried with the real runtime."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.export.c_array import CArrayExport, check_name, write_c_array
from edgecnn.export.tflm_arena import STEP, Arena, measure_arena
from edgecnn.export.tflm_ops import BUILTIN_CALLS, CUSTOM_CALLS, resolver_calls
from firmware_export.c_names import KEYWORDS, LONGEST_NAME
from firmware_export.schema import BUILTIN_OPERATORS
from firmware_export.tflite import read_model
from tests.tflite_builder import pack, small_model

STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow"]

CHECK = """\
#include <stdint.h>
#include <stdio.h>
#include "@NAME@_model_data.h"

/* CRC-32 as in IEEE 802.3, and what is needed to compare it. */
int main(void) {
  unsigned long crc = 0xffffffffUL;
  unsigned int i;
  int bit;
  for (i = 0; i < g_@NAME@_model_data_size; ++i) {
    crc ^= g_@NAME@_model_data[i];
    for (bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1UL) ? 0xedb88320UL : 0UL);
  }
  crc ^= 0xffffffffUL;
  printf("%u %08lx %u", g_@NAME@_model_data_size, crc, (unsigned int)((uintptr_t)g_@NAME@_model_data % 16));
  return 0;
}
"""


def compiler(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def run(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    path.write_bytes(pack(small_model()))
    return path


@pytest.fixture(scope="module")
def exported(small: Path, tmp_path_factory: pytest.TempPathFactory) -> CArrayExport:
    """The C array of ``small``, written once: each writing measures the arena."""
    return write_c_array(small, tmp_path_factory.mktemp("exported"), "small")


@pytest.fixture
def sources(exported: CArrayExport, tmp_path: Path) -> Path:
    """A folder with copies of its files."""
    for path in exported.files:
        shutil.copy(path, tmp_path)
    return tmp_path


@pytest.mark.parametrize("standard", ["c99", "c11"])
def test_c_array_holds_the_model_in_c(small: Path, sources: Path, standard: str) -> None:
    tmp_path = sources
    (tmp_path / "main.c").write_text(CHECK.replace("@NAME@", "small"))
    gcc = compiler("gcc")
    program = tmp_path / "check"
    run(gcc, f"-std={standard}", *STRICT, "-o", program, tmp_path / "main.c", tmp_path / "small_model_data.c")
    data = small.read_bytes()
    assert run(program) == f"{len(data)} {zlib.crc32(data):08x} 0"


@pytest.mark.parametrize(("standard", "renamed"), [("c++11", True), ("c++20", True), ("c++11", False)])
def test_c_array_holds_the_model_in_c_plus_plus(small: Path, sources: Path, standard: str, renamed: bool) -> None:
    """The array itself compiled as C++, or as C and linked."""
    tmp_path = sources
    (tmp_path / "main.cc").write_text(CHECK.replace("@NAME@", "small"))
    gxx = compiler("g++")
    source = tmp_path / "small_model_data.c"
    if renamed:
        source = source.rename(source.with_suffix(".cc"))
        run(gxx, f"-std={standard}", *STRICT, "-c", source, "-o", tmp_path / "array.o")
    else:
        run(compiler("gcc"), "-std=c99", *STRICT, "-c", source, "-o", tmp_path / "array.o")
    program = tmp_path / "check"
    run(gxx, f"-std={standard}", *STRICT, "-o", program, tmp_path / "main.cc", tmp_path / "array.o")
    data = small.read_bytes()
    assert run(program) == f"{len(data)} {zlib.crc32(data):08x} 0"


@pytest.mark.slow
def test_published_model_in_c(shared: Path, tmp_path: Path) -> None:
    model = shared / "models" / "ic_resnet8_int8.tflite"
    write_c_array(model, tmp_path, "ic_resnet8")
    (tmp_path / "main.c").write_text(CHECK.replace("@NAME@", "ic_resnet8"))
    program = tmp_path / "check"
    run(compiler("gcc"), "-std=c99", *STRICT, "-o", program, tmp_path / "main.c", tmp_path / "ic_resnet8_model_data.c")
    assert run(program) == f"98496 {zlib.crc32(model.read_bytes()):08x} 0"


# TFLite Micro's headers come with no package, so the class that the header fills is written here, as far as the
# header uses it. That the calls exist in the real one is held by the tables' own tests below.
RESOLVER = """\
#pragma once
#include <cstdio>
namespace tflite {
template <unsigned int tOpCount>
class MicroMutableOpResolver {
 public:
@CALLS@
  unsigned int count = 0;
  static constexpr unsigned int capacity = tOpCount;
};
}
"""


def test_op_resolver_compiles_and_registers_what_is_used(exported: CArrayExport, sources: Path) -> None:
    tmp_path = sources
    assert exported.ops == ("CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX")
    folder = tmp_path / "tensorflow" / "lite" / "micro"
    folder.mkdir(parents=True)
    calls = "\n".join(f'  void {call}() {{ std::puts("{call}"); ++count; }}' for call in BUILTIN_CALLS.values())
    (folder / "micro_mutable_op_resolver.h").write_text(RESOLVER.replace("@CALLS@", calls))
    (tmp_path / "main.cc").write_text(
        '#include "small_op_resolver.h"\n#include "small_op_resolver.h"\n'
        "int main() { auto r = get_small_op_resolver();"
        ' std::printf("%u of %u", r.count, r.capacity); }\n'
    )
    program = tmp_path / "check"
    run(compiler("g++"), "-std=c++17", *STRICT, f"-I{tmp_path}", "-o", program, tmp_path / "main.cc")
    assert run(program).split("\n") == ["AddConv2D", "AddReshape", "AddFullyConnected", "AddSoftmax", "4 of 4"]


def test_files_say_the_quantization_and_are_the_same_every_time(small: Path, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b/main.cc").write_text("mine")
    (tmp_path / "b/net_model_data.c").write_text("an older export")
    first, second = write_c_array(small, tmp_path / "a", "net"), write_c_array(small, tmp_path / "b", "net")
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == ["main.cc", *sorted(p.name for p in first.files)]
    assert (tmp_path / "b/main.cc").read_text() == "mine"
    assert [path.name for path in first.files] == ["net_model_data.h", "net_model_data.c", "net_op_resolver.h"]
    for one, other in zip(first.files, second.files, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert str(tmp_path) not in one.read_text()
    header = first.files[0].read_text()
    assert "Input:  int8 [1, 6, 6, 2], image: scale 0.00392156886, zero point -128" in header
    assert "Output: int8 [1, 3], classes: scale 0.00390625, zero point -128" in header
    assert "alignas(16) const unsigned char g_net_model_data[] = {" in first.files[1].read_text()


def test_text_from_the_model_cannot_leave_its_comment(tmp_path: Path) -> None:
    model = small_model()
    model.subgraphs[0].tensors[0].name = "x */ int y; /* ??/\n#error \\"
    path = tmp_path / "odd ??! \\ name\n.tflite"
    path.write_bytes(pack(model))
    made = write_c_array(path, tmp_path / "out", "net")
    run(compiler("gcc"), "-std=c99", *STRICT, "-c", made.files[1], "-o", tmp_path / "array.o")


def test_nothing_is_written_for_an_operator_that_tflite_micro_lacks(tmp_path: Path) -> None:
    model = small_model()
    code = model.operatorCodes[3]
    code.builtinCode = code.deprecatedBuiltinCode = BUILTIN_OPERATORS.index("TOPK_V2")
    model.subgraphs[0].operators[3].builtinOptionsType = 0
    path = tmp_path / "topk.tflite"
    path.write_bytes(pack(model))
    with pytest.raises(EdgecnnError, match="node 3 TOPK_V2 'classes': TFLite Micro has no operator TOPK_V2"):
        write_c_array(path, tmp_path / "out", "net")
    assert not (tmp_path / "out").exists()


def test_folder_that_is_a_file_is_refused(small: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(EdgecnnError, match="cannot write"):
        write_c_array(small, tmp_path / "out", "net")
    assert (tmp_path / "out").read_text() == "a file"


# Names.


@pytest.mark.parametrize("name", ["net", "fashion_mnist_cnn", "Net2", "x"])
def test_identifiers_are_taken(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("my-net", "my_net"),
        ("2nd", "net_2nd"),
        ("int", "int_net"),
        ("constexpr", "constexpr_net"),
        ("_net", "net"),
        ("a__b", "a_b"),
        ("", "net"),
        ("größe", "gr_e"),
        ("a/b", "a_b"),
    ],
)
def test_other_names_are_refused_with_one_that_works(name: str, suggestion: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"Try: {suggestion}") + "$"):
        check_name(name)


@given(st.one_of(st.text(max_size=80), st.sampled_from(sorted(KEYWORDS))))
def test_whatever_is_refused_the_suggestion_is_taken(name: str) -> None:
    try:
        check_name(name)
    except UsageError as error:
        check_name(str(error).rsplit("Try: ", 1)[1])
    else:
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name, re.ASCII)
        assert len(name) <= LONGEST_NAME


# What TFLite Micro has, held against the library itself.


def registered_by_the_wheel() -> set[str]:
    """Operators whose registration function stands in the tflite-micro wheel's library."""
    package = pytest.importorskip("tflite_micro", reason="tflite-micro is not installed")
    library = Path(package.__file__).parent / "python" / "tflite_micro" / "_runtime.so"
    # Itanium mangling: N6tflite5micro<length>Register_<OP>Ev, or without the inner namespace in older wheels.
    found = re.findall(rb"(\d+)Register_([A-Z0-9_]+)Ev", library.read_bytes())
    return {name.decode() for length, name in found if int(length) == len("Register_") + len(name)}


def test_each_call_belongs_to_an_operator_of_the_real_library() -> None:
    real = registered_by_the_wheel()
    assert len(real) > 90
    assert set(BUILTIN_CALLS) - real == set()


def test_no_builtin_operator_of_the_real_library_is_missing() -> None:
    assert registered_by_the_wheel() & set(BUILTIN_OPERATORS) == set(BUILTIN_CALLS)


def test_calls_are_named_after_their_operators() -> None:
    for op, call in BUILTIN_CALLS.items():
        assert call.removeprefix("Add").lower() == op.replace("_", "").lower()
    assert not set(CUSTOM_CALLS) & set(BUILTIN_CALLS)


def test_custom_operators_need_a_call_of_their_own() -> None:
    model = small_model()
    code = model.operatorCodes[3]
    code.builtinCode = code.deprecatedBuiltinCode = BUILTIN_OPERATORS.index("CUSTOM")
    model.subgraphs[0].operators[3].builtinOptionsType = 0
    code.customCode = "TFLite_Detection_PostProcess"
    assert resolver_calls(read_model(pack(model)))["TFLite_Detection_PostProcess"] == "AddDetectionPostprocess"
    code.customCode = "CONV_2D"
    with pytest.raises(EdgecnnError, match="node 3 CONV_2D 'classes'"):
        resolver_calls(read_model(pack(model)))
    code.customCode = "Own"
    with pytest.raises(EdgecnnError, match="TFLite Micro has no custom operator Own"):
        resolver_calls(read_model(pack(model)))


# The arena.


def test_arena_is_the_smallest_that_runs(small: Path) -> None:
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="tflite-micro is not installed")
    arena = measure_arena(small)
    assert arena.bytes is not None
    assert arena.bytes % STEP == 0
    assert "tflite-micro" in arena.note
    runtime.Interpreter.from_file(str(small), arena_size=arena.bytes).invoke()
    with pytest.raises(RuntimeError):
        runtime.Interpreter.from_file(str(small), arena_size=arena.bytes - STEP)


def test_arena_of_a_model_that_tflite_micro_refuses_says_why(tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro", reason="tflite-micro is not installed")
    model = small_model()
    code = model.operatorCodes[3]
    code.builtinCode = code.deprecatedBuiltinCode = BUILTIN_OPERATORS.index("TOPK_V2")
    path = tmp_path / "topk.tflite"
    path.write_bytes(pack(model))
    arena = measure_arena(path)
    assert arena.bytes is None
    assert "Didn't find op for builtin opcode 'TOPK_V2'" in arena.note


def test_arena_without_the_package_says_how_to_get_it(
    small: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    made = write_c_array(small, tmp_path, "net")
    assert made.arena_bytes is None
    assert made.arena_note.endswith("get it with: pip install 'edgecnn[mcu]'")
    text = made.files[2].read_text()
    assert "TensorArenaSize" not in text
    assert "// Size of the tensor arena: not measured: the package" in text


def test_arena_is_measured_beside_a_users_own_modules(
    small: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("tflite_micro", reason="tflite-micro is not installed")
    (tmp_path / "dataclasses.py").write_text("raise SystemExit('the wrong dataclasses')")
    monkeypatch.chdir(tmp_path)
    arena = measure_arena(small)
    assert arena.bytes, arena.note


def test_arena_of_a_process_that_fails_names_the_last_line(
    small: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tflite_micro").mkdir()
    (tmp_path / "tflite_micro/__init__.py").write_text("raise ImportError('built for another NumPy')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tflite_micro", raising=False)
    arena = measure_arena(small)
    assert arena == Arena(None, "the measuring process failed: ImportError: built for another NumPy")


@pytest.mark.parametrize(
    ("suffix", "way"), [(".keras", "edgecnn quantize"), (".KERAS", "edgecnn quantize"), (".onnx", "it was made from")]
)
def test_other_model_files_get_the_way_to_a_tflite_file(tmp_path: Path, suffix: str, way: str) -> None:
    path = tmp_path / f"net{suffix}"
    with pytest.raises(UsageError, match="no such file"):
        write_c_array(path, tmp_path / "out", "net")
    path.write_bytes(b"PK")
    with pytest.raises(UsageError, match=rf"made from a \.tflite file.*{way}"):
        write_c_array(path, tmp_path / "out", "net")
    assert not (tmp_path / "out").exists()
