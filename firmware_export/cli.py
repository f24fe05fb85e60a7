"""The compiler on its own: ``python -m firmware_export FILE --out DIR``. Needs nothing of edgecnn.

Exit codes: 0 done, 1 it could not be done, 2 wrong usage or no such file, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from firmware_export.c_names import name_problem
from firmware_export.choice import Goal, Optimize
from firmware_export.compiler import Compiled, compile_model
from firmware_export.emit.names import names_of
from firmware_export.errors import ModelError
from firmware_export.instruction_sets import LOWERINGS, PORTABLE
from firmware_export.schema import FILE_IDENTIFIER

EXAMPLE = """\
example:
  python -m firmware_export model.tflite --out firmware
  python -m firmware_export model.tflite --out src --name kws --single-header
"""

COLUMNS = ("layer", "kernel", "instructions", "weight_bytes", "scratch_bytes", "why")
"""Of each layer, as they are printed."""

NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)
"""What is wrong when a path names no file: whoever typed it can mend it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)    # `kill` removes temporary files too
    asked = _parser().parse_args(arguments)
    model, out = Path(asked.file), Path(asked.out)
    name = asked.name or model.stem
    if problem := name_problem(name):
        return _failed(f"--name {name}: {problem}", 2)
    place = model
    try:
        goal = Goal(asked.optimize, asked.ram, asked.flash)
        compiled = compile_model(_read(model), str(model), name, (), asked.single_header, asked.instruction_set, goal)
        place = out
        written = write_files(out, compiled.files)
    except ModelError as error:
        return _failed(str(error), 1)
    except OSError as error:
        where = error.filename2 or error.filename or place    # of a failed renaming, the name that was to be taken
        wrong = place is model and error.errno in NO_FILE
        return _failed(f"{where}: {error.strerror or error}.", 2 if wrong else 1)
    except KeyboardInterrupt:
        return _failed("stopped; nothing half-written was left behind.", 130)
    figures = _figures(compiled)
    if asked.json:
        layers = [dict(zip(COLUMNS, line, strict=True)) for line in _layers(compiled)]
        text = json.dumps({"files": [str(path) for path in written], **figures, "layers": layers}, indent=2)
    else:
        lines = [*(f"wrote  {path}" for path in written), *(f"{key}: {value}" for key, value in figures.items())]
        lines += ["", *_table([COLUMNS, *_layers(compiled)])]
        text = "\n".join(lines)
    with contextlib.suppress(BrokenPipeError):
        print(text, flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m firmware_export",
        description="Compile an int8 or int16x8 .tflite to C99 without dependencies.\n"
        "The C gives the same bytes as TFLite Micro.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="an int8 or int16x8 .tflite file, whoever made it")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write to; made where it does not exist")
    parser.add_argument("--name", help="C identifier that files and symbols begin with (default: the file's name)")
    parser.add_argument("--single-header", action="store_true", help="one header, as the stb libraries are")
    sets = f"processors that the C is for: {', '.join(LOWERINGS)} (default: any)"
    parser.add_argument("--instruction-set", metavar="SET", default=PORTABLE, choices=LOWERINGS, help=sets)
    parser.add_argument(
        "--optimize", default="balanced", choices=get_args(Optimize), help="what kernels are chosen for"
    )
    parser.add_argument("--ram", type=int, metavar="N", help="bytes that the arena may have at most")
    parser.add_argument("--flash", type=int, metavar="N", help="bytes that code, weights and tables may take at most")
    parser.add_argument("--json", action="store_true", help="print files and figures as JSON")
    return parser


def _failed(message: str, code: int) -> int:
    print(f"Error: {message}", file=sys.stderr)
    return code


def _read(model: Path) -> bytes:
    """The file; of one that is no model, as much as says so."""
    with model.open("rb") as stream:
        head = stream.read(8)
        return head + stream.read() if head[4:] == FILE_IDENTIFIER else head


def _figures(compiled: Compiled) -> dict[str, int | str | None]:
    plan, choice = compiled.plan, compiled.choice
    return {
        "arena_bytes": plan.arena_bytes,
        "push_arena_bytes": plan.push.arena_bytes if plan.push is not None else None,
        "lower_bound_bytes": plan.lower_bound,
        "macs": sum(layer.macs for layer in plan.program.layers),
        "core": choice.core,
        "expected_instructions": choice.instructions,
        "expected_flash_bytes": choice.flash_bytes,
    }


def _layers(compiled: Compiled) -> list[tuple[Any, ...]]:
    """``COLUMNS`` of each layer."""
    names = names_of(compiled.plan.program).layers
    return [
        (name, pick.layer.function, pick.instructions, pick.weight_bytes, pick.layer.scratch_bytes, pick.why)
        for name, pick in zip(names, compiled.choice.picks, strict=True)
    ]


def _table(lines: Sequence[Sequence[Any]]) -> list[str]:
    cells = [["" if cell is None else str(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def write_files(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write files whole or not at all: all beside their places first, then all take their names.

    Args:
        folder: Made where it does not exist; other files in it are left alone.
        texts: By file name.

    Raises:
        OSError: The folder cannot be written to, or a folder in it has the name of one of the files. Whatever stood
            there stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    umask = os.umask(0)
    os.umask(umask)
    with _folder_in(folder) as beside:
        for name, text in texts.items():
            path = Path(beside) / name
            path.write_text(text, encoding="utf-8", newline="\n")
            path.chmod(0o666 & ~umask)
        for name in texts:
            if (folder / name).is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(folder / name))
        for name in texts:
            (Path(beside) / name).replace(folder / name)
    return [folder / name for name in texts]


def _folder_in(folder: Path) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix=".firmware-", dir=folder)
    except OSError as error:
        error.filename = str(folder)    # nobody asked for the temporary name
        raise
