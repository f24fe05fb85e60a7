"""``edgecnn export --to c`` and what ``edgecnn summary`` says of the compiled model, as a user types them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn.cli._common import Output
from edgecnn.cli._memory import memory_table
from edgecnn.memory_plan import memory_plan
from tests.networks import Network
from tests.small_networks import convolutions, every_way_of_keeping
from tests.support import Cli

Here = Callable[..., tuple[int, str, str]]


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.tflite"
    path.write_bytes(convolutions())
    return path


@pytest.fixture
def refused(tmp_path: Path) -> Path:
    """A model that the compiler does not take."""
    network = Network()
    value = network.input([1, 4, 4, 2], 0.02, 0)
    path = tmp_path / "topk.tflite"
    path.write_bytes(
        network.pack(network.op("TOPK_V2", [value, network.constant(np.array(1, np.int32))], [1, 4, 4, 1], 0.02))
    )
    return path


def test_export_prints_files_layers_and_totals(cli: Cli, net: Path, tmp_path: Path) -> None:
    said = cli("export", net, "--to", "c").stdout
    written = [line.split()[1] for line in said.splitlines() if line.startswith("wrote")]
    assert written == [f"net_firmware/net{end}" for end in (".h", ".c", "_weights.h", "_kernels.h", "_memory.svg")]
    assert all((tmp_path / path).stat().st_size > 500 for path in written)
    rows = [line.split() for line in said.splitlines() if line.startswith("conv_2d_")]
    assert [row[:3] for row in rows] == [
        ["conv_2d_1", "1×12×12×8", "31,104"],
        ["conv_2d_2", "1×12×12×8", "82,944"],
        ["conv_2d_3", "1×6×6×16", "41,472"],
        ["conv_2d_4", "1×6×6×4", "20,736"],
    ]
    assert rows[3][3] == "output"
    assert "weights  2,844 B" in said
    assert "caller   input 432 B, output 144 B" in said
    assert "scratch" not in said    # no layer has any
    assert max(map(len, said.splitlines())) <= 80
    assert [line for line in said.splitlines() if line != line.rstrip()] == []


def test_json_has_everything(cli: Cli, net: Path) -> None:
    document = json.loads(cli("export", net, "--to", "c", "--name", "mine", "--out", "src", "--json").stdout)
    assert document["files"][0] == "src/mine.h"
    memory = document["memory"]
    assert {"arena_bytes", "push_arena_bytes", "lower_bound_bytes", "tflm_arena_bytes", "buffers"} <= set(memory)
    assert [layer["op"] for layer in memory["layers"]] == ["CONV_2D"] * 4
    assert document["sizes"] is None
    assert "#define MINE_ARENA_SIZE " + str(memory["arena_bytes"]) in (net.parent / "src/mine.h").read_text()


def test_target_adds_code_and_stack(cli: Cli, net: Path) -> None:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    arguments = ["export", net, "--to", "c", "--target", "cortex-m4"]
    document = json.loads(cli(*arguments, "--json").stdout)
    sizes = document["sizes"]
    assert (sizes["target"], sizes["weight_bytes"]) == ("cortex-m4", document["memory"]["weight_bytes"])
    said = cli(*arguments).stdout
    words = f"flash {sizes['flash_bytes']:,} B, of which code {sizes['code_bytes']:,} B"
    assert f"target   cortex-m4 at -O2: {words}" in said
    assert f"stack    {sizes['stack_bytes']:,} B" in said


def test_scratch_has_a_column_where_a_layer_needs_it(capsys: pytest.CaptureFixture[str]) -> None:
    Output(json=False, quiet=False).result({}, memory_table(memory_plan(every_way_of_keeping())))
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in said if line.startswith(("compiled layer", "mean_1"))] == ["scratch", "64"]
    assert len(said) == 7
    assert [line for line in said if line != line.rstrip()] == []


def test_an_obstacle_is_named_and_no_file_is_replaced(cli: Cli, net: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "net_kernels.h").mkdir(parents=True)
    (tmp_path / "out" / "net.h").write_text("an older export")
    done = cli("export", net, "--to", "c", "--out", "out", code=1)
    assert done.stderr == "Error: cannot write out/net_kernels.h: It is a folder, not a file.\n"
    assert (tmp_path / "out" / "net.h").read_text() == "an older export"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["net.h", "net_kernels.h"]


def test_export_without_the_target_s_compiler_says_how_to_get_it(cli: Cli, net: Path, tmp_path: Path) -> None:
    arguments = ["export", net, "--to", "c", "--target", "cortex-m4", "--json"]
    done = cli(*arguments, env={"PATH": str(tmp_path)}, code=1)
    assert done.stderr.startswith("Warning: cortex-m4 is not measured: ")
    assert "sudo apt-get install gcc-arm-none-eabi" in done.stderr
    document = json.loads(done.stdout)
    assert document["sizes"] is None
    assert document["sizes_note"] in done.stderr
    assert (tmp_path / "net_firmware" / "net.c").is_file()


def test_files_of_an_earlier_export_are_told(cli: Cli, net: Path) -> None:
    assert cli("export", net, "--to", "c").stderr == ""
    done = cli("export", net, "--to", "c", "--single-header")
    assert "wrote  net_firmware/net.h\n" in done.stdout
    assert "left from an earlier export" in done.stderr
    assert "net_firmware/net.c, net_firmware/net_weights.h, net_firmware/net_kernels.h" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["topk.tflite", "--to", "c"], 1, "topk.tflite: node 0 TOPK_V2 't2': the operator is not supported"),
        (["net.tflite", "--to", "c", "--target", "cortex-m5"], 2, "Known: host, "),
        (["net.tflite", "--to", "c", "--name", "2nd"], 2, "Try: net_2nd"),
        (["net.tflite", "--to", "c-array", "--target", "host"], 2, "--target are for --to c, not for --to c-array"),
        (["net.tflite", "--to", "onnx-int8", "--single-header"], 2, "are for --to c, not for --to onnx-int8"),
        (["none.tflite", "--to", "c"], 2, "none.tflite: no such file"),
        (["notes.txt", "--to", "c"], 1, "notes.txt: not a TFLite model"),
        (["cut.tflite", "--to", "c"], 1, "cut.tflite"),
        (["net.tflite", "--to", "c", "--out", "notes.txt"], 1, "cannot write"),
    ],
)
def test_what_cannot_be_exported_leaves_nothing(
    cli_here: Here, net: Path, refused: Path, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    (tmp_path / "notes.txt").write_text("hello, I am not a model")
    (tmp_path / "cut.tflite").write_bytes(net.read_bytes()[:2000])
    before = sorted(path.name for path in tmp_path.iterdir())
    found, printed, said = cli_here("export", *arguments)
    assert (found, printed) == (code, "")
    assert words in " ".join(said.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert refused.name in before


# The summary.


def test_summary_has_the_memory_plan(cli: Cli, net: Path) -> None:
    exported = json.loads(cli("export", net, "--to", "c", "--json").stdout)["memory"]
    document = json.loads(cli("summary", net, "--json").stdout)
    assert document["memory"] == exported
    assert document["memory_note"] == ""
    said = cli("summary", net).stdout
    assert f"arena    {exported['arena_bytes']:,} B (lower bound {exported['lower_bound_bytes']:,} B)" in said
    assert "no memory plan" not in said


def test_summary_of_a_model_that_the_compiler_refuses_says_why(cli: Cli, refused: Path) -> None:
    document = json.loads(cli("summary", refused, "--json").stdout)
    assert document["memory"] is None
    assert "node 0 TOPK_V2" in document["memory_note"]
    assert document["layers"][0]["op"] == "TOPK_V2"
    said = cli("summary", refused).stdout
    assert f"no memory plan: {document['memory_note']}" in said
    assert "largest activations" in said
