"""Programs on this machine and on emulated boards: right results, and every kind of misbehaviour found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.mcu.image import Form, build_image
from edgecnn.mcu.interface import End, pack_samples, unpack_samples
from edgecnn.mcu.running import Run, RunError, run_image
from edgecnn.mcu.targets import load_target, target_names
from edgecnn.mcu.toolchain import BuildError
from tests.edgecnn.mcu.models import BOARDS, TOY, need, toy_files, toy_samples


def run_toy(folder: Path, target: str, extra: str = "", form: Form | None = None, limit_s: float = 60) -> Run:
    need(target)
    image = build_image(toy_files(extra), TOY, load_target(target), folder, form or Form())
    return run_image(image, [toy_samples()[0]], limit_s)


@pytest.mark.parametrize(
    ("target", "form"),
    [
        *((target, Form()) for target in target_names()),
        *((target, form) for target in ("host", "cortex-m0", "riscv32") for form in (Form("-Os"), Form(push=True))),
    ],
    ids=str,
)
def test_outputs_come_back(tmp_path: Path, target: str, form: Form) -> None:
    run = run_toy(tmp_path, target, form=form)
    assert np.array_equal(run.outputs[0], toy_samples()[1])
    assert 0 <= run.stack < 400
    assert run.rows == ()


@pytest.mark.parametrize("target", ["host", "cortex-m0", "riscv32"])
def test_rows_are_recorded(tmp_path: Path, target: str) -> None:
    run = run_toy(tmp_path, target, form=Form(rows=True))
    right = toy_samples()[1]
    assert [(row.layer, row.y) for row in run.rows] == [(0, y) for y in range(4)] * len(right)
    assert b"".join(row.data for row in run.rows) == right.tobytes()


MISBEHAVIOUR = {
    "output[4] = 1;": "written after the end of the output",
    "output[-1] = 1;": "written before the start of the output",
    "((int8_t *)arena)[24] = 1;": "written after the end of the arena",
    "((int8_t *)arena)[-64] = 1;": "written before the start of the arena",
    "((int8_t *)(uintptr_t)input)[11] ^= 1;": "written in the input",
    "((int8_t *)(uintptr_t)input)[12] ^= 1;": "written after the end of the input",
    "return -2;": "error -2",
    "{ volatile int8_t deep[70000]; for (y = 70000; y-- > 0;) deep[y] = 1; }": "(more stack was used|fault)",
    "for (;;) { }": "did not end within 3 s",
    "__builtin_trap();": "",
}


@pytest.mark.parametrize("target", ["host", "cortex-m3", "riscv32"])
@pytest.mark.parametrize("extra", MISBEHAVIOUR)
def test_misbehaviour_is_found(tmp_path: Path, target: str, extra: str) -> None:
    with pytest.raises(RunError, match=f"^toy on {target}: .*{MISBEHAVIOUR[extra]}"):
        run_toy(tmp_path, target, extra, limit_s=3 if "for (;;)" in extra else 60)


@pytest.mark.parametrize("target", ["cortex-m0", "cortex-m3", "cortex-m7", "riscv32"])
def test_a_fault_is_reported(tmp_path: Path, target: str) -> None:
    with pytest.raises(RunError, match=rf"toy on {target}: fault, cause register 0x[0-9a-f]{{8}} \(exit code 3\)"):
        run_toy(tmp_path, target, "*(volatile int32_t *)(uintptr_t)0xdead0000u = 1;", limit_s=20)


def test_an_access_off_its_alignment_faults_on_the_smallest_core(tmp_path: Path) -> None:
    """The buffers are no better aligned than they need be, so that this is found: the input lies at an odd address."""
    with pytest.raises(RunError, match="fault"):
        run_toy(tmp_path, "cortex-m0", "output[0] = (int8_t)*(volatile const int32_t *)(const void *)input;")


def test_what_is_read_before_it_is_written_shows_as_outputs_that_change(tmp_path: Path) -> None:
    need("host")
    files = toy_files("output[3] = ((volatile int8_t *)arena)[30];")
    files["toy.h"] = files["toy.h"].replace("TOY_ARENA_SIZE 24", "TOY_ARENA_SIZE 32")
    image = build_image(files, TOY, load_target("host"), tmp_path, Form())
    outputs = run_image(image, [np.repeat(toy_samples(1)[0], 5, axis=0)], 60).outputs[0]
    assert len(np.unique(outputs[:, 0, :3], axis=0)) == 1
    assert len(np.unique(outputs[:, 0, 3])) == 5


def test_a_program_too_large_for_the_board_is_refused(tmp_path: Path) -> None:
    need("cortex-m4")
    target = load_target("cortex-m4")
    assert target.board is not None
    tiny = target.model_copy(update={"board": target.board.model_copy(update={"flash_bytes": 512})})
    with pytest.raises(BuildError, match="building toy for cortex-m4: it does not fit into the board's memory"):
        build_image(toy_files(), TOY, tiny, tmp_path, Form())


def test_what_the_compiler_says_is_shown(tmp_path: Path) -> None:
    need("host")
    with pytest.raises(BuildError, match=r"compiling toy\.c for host failed:\n.*toy\.c:\d+.*nonsense"):
        build_image(toy_files("nonsense;"), TOY, load_target("host"), tmp_path, Form())


def test_nothing_of_a_run_before_is_taken_for_its_own(tmp_path: Path) -> None:
    need("host")
    image = build_image(toy_files(), TOY, load_target("host"), tmp_path, Form())
    inputs, right = toy_samples(9)
    run_image(image, [inputs], 60)
    again = run_image(image, [inputs[:2]], 60)
    assert np.array_equal(again.outputs[0], right[:2])


@pytest.mark.parametrize("target", BOARDS)
def test_large_networks_fit_the_boards(tmp_path: Path, target: str) -> None:
    """A megabyte of weights and a megabyte of arena, more than the boards as they are sold have."""
    need(target)
    files = toy_files("output[0] = toy_large[0] == 7 && toy_large[999999] == 9 ? output[0] : 0;"
                      "memset((int8_t *)arena + 24, output[0], 1000000);")    # fmt: skip
    files["toy.h"] = files["toy.h"].replace("TOY_ARENA_SIZE 24", "TOY_ARENA_SIZE 1000024")
    files["toy_weights.h"] += "static const volatile int8_t toy_large[1000000] = {7, [999999] = 9};\n"
    image = build_image(files, TOY, load_target(target), tmp_path, Form())
    inputs, right = toy_samples(2)
    run = run_image(image, [inputs], 120)
    assert np.array_equal(run.outputs[0], right)


def test_samples_are_packed_one_after_the_other() -> None:
    ends = (End((1, 2), "int32", 8), End((1, 3), "int8", 3))
    arrays: list[Any] = [np.arange(4, dtype=np.int32).reshape(2, 1, 2), np.arange(6, dtype=np.int8).reshape(2, 1, 3)]
    data = pack_samples(ends, arrays)
    assert data[:11] == arrays[0][0].tobytes() + arrays[1][0].tobytes()
    back = unpack_samples(ends, data)
    assert all(np.array_equal(one, other) and one.dtype == other.dtype for one, other in zip(back, arrays, strict=True))
    with pytest.raises(ValueError, match="no whole number of samples"):
        unpack_samples(ends, data[:-1])
