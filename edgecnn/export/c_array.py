"""A model as C source for TensorFlow Lite for Microcontrollers, under that project's conventions.

Three files: ``<name>_model_data.h`` and ``.c`` with the bytes (valid as C99, C11 and C++11, the ``.c`` renamed to
``.cc`` too), and ``<name>_op_resolver.h``, C++, which registers just the operators that the network uses and knows how
large an arena it needs. Same model, same text: no date and no path in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgecnn.errors import UsageError
from edgecnn.export.tflm_arena import Arena, measure_arena
from edgecnn.export.tflm_ops import resolver_calls
from edgecnn.files import readable_os_errors, sha256_bytes, write_files
from edgecnn.tflite_file import read_graph, require_tflite
from firmware_export.c_names import name_problem
from firmware_export.graph import Graph, Tensor, printable, short_name

ALIGNMENT = 16
BYTES_PER_LINE = 12


@dataclass(frozen=True)
class CArrayExport:
    """What was written.

    Attributes:
        files: The three files.
        ops: TFLite operators that the resolver registers, in the order of their first use.
        arena_bytes: The smallest tensor arena that the network runs in; None where it could not be measured.
        arena_note: How it was measured, or why not.
    """

    files: tuple[Path, ...]
    ops: tuple[str, ...]
    arena_bytes: int | None
    arena_note: str


def write_c_array(model: Path, out: Path, name: str) -> CArrayExport:
    """Write a model as C source.

    Args:
        model: A ``.tflite`` file. A ``.keras`` file has no operators yet and gets the advice to quantize it first.
        out: The folder; it is made when it does not exist, and other files in it are left alone.
        name: The beginning of file and symbol names, such as ``person_detect``: a C identifier.

    Raises:
        UsageError: ``name`` cannot be part of a C identifier, or the model is a ``.keras`` or ``.onnx`` file.
        EdgecnnError: The model cannot be read, TFLite Micro lacks one of its operators, or ``out`` cannot be written.
    """
    check_name(name)
    require_tflite(model, "a C array")
    graph = read_graph(model)
    with readable_os_errors(model, "read"):
        data = model.read_bytes()
    calls = resolver_calls(graph)
    arena = measure_arena(model)
    about = _about(graph, model.name, data)
    texts = {
        f"{name}_model_data.h": _header(name, about),
        f"{name}_model_data.c": _source(name, about, data),
        f"{name}_op_resolver.h": _resolver(name, model.name, calls, arena),
    }
    files = {out / file: text for file, text in texts.items()}
    write_files(files)
    return CArrayExport(tuple(files), tuple(calls), arena.bytes, arena.note)


def check_name(name: str) -> None:
    """Refuse a name that cannot be part of C and C++ identifiers.

    Raises:
        UsageError: With a name that could.
    """
    if problem := name_problem(name):
        raise UsageError(f"--name {name}: {problem}")


def _about(graph: Graph, file: str, data: bytes) -> str:
    """The lines that say what model it is, for a comment."""
    lines = [f"Model:  {_comment(file)}, {len(data)} bytes, sha256 {sha256_bytes(data)}"]
    lines += [f"Input:  {_end(tensor)}" for tensor in graph.present(graph.inputs)]
    lines += [f"Output: {_end(tensor)}" for tensor in graph.present(graph.outputs)]
    return "\n".join(f" * {line}" for line in lines)


def _end(tensor: Tensor) -> str:
    text = f"{tensor.dtype} [{', '.join(map(str, tensor.shape))}], {_comment(short_name(tensor.name))}"
    if tensor.quant is None or tensor.quant.per_channel:
        return text
    scale, zero_point = tensor.quant.scale[0], tensor.quant.zero_point[0]
    return f"{text}: scale {scale:.9g}, zero point {zero_point}; real = (value - zero point) * scale"


def _comment(text: str) -> str:
    """``text`` with nothing in it that could end a comment, continue a line or start a trigraph."""
    return printable(text).replace("*/", "* /").replace("/*", "/ *").replace("\\", "/").replace("??", "? ?")


def _header(name: str, about: str) -> str:
    guard = f"{name.upper()}_MODEL_DATA_H_"
    return f"""\
/* A TFLite model as a C array, for TensorFlow Lite for Microcontrollers. Made by edgecnn; do not edit.
 *
{about}
 */

#ifndef {guard}
#define {guard}

#ifdef __cplusplus
extern "C" {{
#endif

/* The model, as tflite::GetModel() takes it. Starts at a multiple of {ALIGNMENT}. */
extern const unsigned char g_{name}_model_data[];

/* Its size in bytes. */
extern const unsigned int g_{name}_model_data_size;

#ifdef __cplusplus
}}
#endif

#endif /* {guard} */
"""


def _source(name: str, about: str, data: bytes) -> str:
    rows = (data[start : start + BYTES_PER_LINE] for start in range(0, len(data), BYTES_PER_LINE))
    body = "\n".join("    " + " ".join(f"0x{byte:02x}," for byte in row) for row in rows)
    return f"""\
/* A TFLite model as a C array, for TensorFlow Lite for Microcontrollers. Made by edgecnn; do not edit.
 *
{about}
 */

#include "{name}_model_data.h"

/* alignas is a keyword in C++11 and C23, a macro in C11, and spelt by each compiler in its own way before that. */
#if defined(__cplusplus)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#include <stdalign.h>
#elif defined(__GNUC__) || defined(__clang__) || defined(__ARMCC_VERSION)
#define alignas(bytes) __attribute__((aligned(bytes)))
#elif defined(_MSC_VER)
#define alignas(bytes) __declspec(align(bytes))
#else
#error "No way is known to align an array with this compiler: compile this file as C11 or C++11."
#endif

alignas({ALIGNMENT}) const unsigned char g_{name}_model_data[] = {{
{body}
}};

const unsigned int g_{name}_model_data_size = sizeof(g_{name}_model_data);
"""


def _resolver(name: str, file: str, calls: dict[str, str], arena: Arena) -> str:
    guard = f"{name.upper()}_OP_RESOLVER_H_"
    camel = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    added = "\n".join(f"  op_resolver.{call}();" for call in calls.values())
    return f"""\
// What TensorFlow Lite for Microcontrollers needs to run {_comment(file)}. Made by edgecnn; do not edit.
//
//   const tflite::Model* model = tflite::GetModel(g_{name}_model_data);
//   static auto op_resolver = get_{name}_op_resolver();
//   static tflite::MicroInterpreter interpreter(model, op_resolver, tensor_arena, sizeof(tensor_arena));

#ifndef {guard}
#define {guard}

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

{_arena_constant(camel, arena)}
constexpr int k{camel}NumberOfOps = {len(calls)};

// Just the operators that the network uses: the linker leaves all others out.
inline tflite::MicroMutableOpResolver<k{camel}NumberOfOps> get_{name}_op_resolver() {{
  tflite::MicroMutableOpResolver<k{camel}NumberOfOps> op_resolver;
{added}
  return op_resolver;
}}

#endif  // {guard}
"""


def _arena_constant(camel: str, arena: Arena) -> str:
    if arena.bytes is None:
        return f"// Size of the tensor arena: not measured: {_comment(arena.note)}.\n"
    return f"""\
// Bytes of the tensor arena, rounded up to {ALIGNMENT}:
// {arena.note}.
// Pointers there are twice as wide as on a 32-bit microcontroller, so less is enough on most boards; kernels for an
// instruction set, such as CMSIS-NN's, may ask for more scratch memory. interpreter.arena_used_bytes() tells.
// Declare it as: alignas({ALIGNMENT}) static uint8_t tensor_arena[k{camel}TensorArenaSize];
constexpr int k{camel}TensorArenaSize = {arena.bytes};
"""
