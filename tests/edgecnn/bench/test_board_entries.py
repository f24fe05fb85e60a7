"""A small network on an emulated board as an entry of the results."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecnn.artefacts import resolve
from edgecnn.bench.harness import Places, bench
from edgecnn.errors import EdgecnnError
from edgecnn.mcu.targets import load_target
from edgecnn.mcu.toolchain import MissingToolError, require_tools
from tests.tflite_builder import pack, small_model


@pytest.fixture
def small(tmp_path: Path) -> Path:
    try:
        require_tools(load_target("cortex-m4"))
    except MissingToolError as error:
        pytest.skip(str(error))
    path = tmp_path / "small.tflite"
    path.write_bytes(pack(small_model()))
    return path


def test_a_board_counts_instructions_and_says_that_accuracy_was_not_measured(small: Path) -> None:
    places = Places(hosts=(), boards=("cortex-m4",))
    results, again = (bench(resolve(str(small)), [], section=None, places=places) for _ in range(2))
    assert results.entries == []
    board = results.boards[0]
    assert (board.target, board.precision, board.accuracy) == ("cortex-m4", "int8", None)
    assert board.instructions > 756    # its multiply-accumulates
    assert board.instructions == again.boards[0].instructions
    assert sum(layer.macs for layer in board.layers) == 756
    assert sum(layer.instructions for layer in board.layers) < board.instructions
    assert board.weights_bytes is not None and board.weights_bytes >= 180
    assert any("accuracy was not measured" in note for note in results.notes)


def test_a_board_without_a_file_for_it(shared: Path) -> None:
    path = shared / "models/ic_resnet8_float.tflite"
    with pytest.raises(EdgecnnError, match="boards take int8 and int16"):
        bench(resolve(str(path)), [], section=None, places=Places(hosts=(), boards=("cortex-m4",)))
