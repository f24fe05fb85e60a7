"""``edgecnn verify``: what is right passes on every target; what was spoilt is found, down to the first wrong layer."""

from __future__ import annotations

import functools
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn import verify
from edgecnn.artefacts import resolve
from edgecnn.errors import EdgecnnError
from edgecnn.mcu.image import Form
from edgecnn.mcu.oracle import expected_outputs
from edgecnn.mcu.samples import random_samples
from edgecnn.mcu.targets import load_target
from edgecnn.recipe import DataSection
from edgecnn.verify import TargetResult, compiled_model, gather_inputs, verify_file, verify_on
from firmware_export.compiler import Compiled, compile_model
from firmware_export.emit.names import names_of
from firmware_export.tflite import read_model
from tests.edgecnn.mcu.models import BOARDS, altered, mixed_network, need, small_network
from tests.firmware_export.int16_network import int16_network
from tests.networks import Network
from tests.support import Cli

Here = Callable[..., tuple[int, str, str]]


def result_of(compiled: Compiled, data: bytes, target: str = "host", form: Form | None = None) -> TargetResult:
    need(target)
    return verify_on(load_target(target), compiled, data, form or Form(), *inputs_and_outputs(data, 5))


@functools.lru_cache
def inputs_and_outputs(data: bytes, count: int) -> tuple[Any, Any]:
    """Random samples and what is right for them."""
    graph = read_model(data)
    inputs = random_samples(graph, count)
    return inputs, expected_outputs(data, graph, inputs).outputs


@pytest.fixture(scope="module")
def small() -> tuple[bytes, Compiled]:
    """A network and its C text."""
    data = small_network()
    return data, compile_model(data, "small", "small")


@pytest.mark.parametrize("target", ["host", *BOARDS])
def test_what_is_right_passes_on_every_target(small: tuple[bytes, Compiled], target: str) -> None:
    data, compiled = small
    result = result_of(compiled, data, target)
    assert result.passed
    assert (result.samples, result.outputs_bytes, result.differing_bytes) == (5, 5 * 150, 0)
    assert result.sizes is not None
    assert result.stack is not None and result.stack > 0
    assert result.difference is None


@pytest.mark.parametrize("form", [Form("-Os"), Form(push=True)], ids=str)
@pytest.mark.parametrize("target", ["host", "cortex-m0"])
def test_the_other_forms_pass_too(small: tuple[bytes, Compiled], target: str, form: Form) -> None:
    assert result_of(small[1], small[0], target, form).passed


@pytest.mark.parametrize("target", ["host", "cortex-m0", "riscv32"])
def test_several_inputs_and_outputs_of_other_types(target: str) -> None:
    data = mixed_network()
    compiled = compile_model(data, "mixed", "mixed")
    result = result_of(compiled, data, target)
    assert result.passed
    assert result.outputs_bytes == 5 * (24 + 4 * 24)


@pytest.mark.parametrize(
    ("target", "form"), [("host", Form(push=True)), ("cortex-m4", Form()), ("cortex-m0", Form("-Os"))], ids=str
)
def test_int16_passes_too(target: str, form: Form) -> None:
    data = int16_network()
    result = result_of(compile_model(data, "wide", "wide"), data, target, form)
    assert result.passed
    assert result.outputs_bytes == 5 * 5 * 2


def test_a_wrong_int16_weight_is_found_in_its_layer() -> None:
    data = int16_network()
    spoilt = altered(compile_model(data, "wide", "wide"), "wide_weights.h", r"(conv_2d_2_bias\[8\] = \{\s*)-?\d+",
                     r"\g<1>2000000")    # fmt: skip
    found = result_of(spoilt, data).difference
    assert found is not None
    assert (found.layer, found.at[-1], abs(found.expected - found.found) > 100) == ("conv_2d_2", 0, True)


def test_a_compiler_that_tells_no_frame_sizes_will_do(small: tuple[bytes, Compiled]) -> None:
    if shutil.which("clang") is None:
        pytest.skip("clang is not installed")
    data, compiled = small
    target = load_target("host").model_copy(update={"compilers": ("clang",)})
    result = verify_on(target, compiled, data, Form(), *inputs_and_outputs(data, 5))
    assert result.passed
    assert result.sizes is None
    assert result.stack is not None and result.stack > 0


# --- what was spoilt is found -----------------------------------------------------------------------------------------


def spoilt_weight(compiled: Compiled, layer: int) -> Compiled:
    """One weight of a layer with its sign turned, or 1 where it is 0."""
    name = f"{names_of(compiled.plan.program).layer(layer)}_weights"
    weight = re.search(rf"{name}\[\d+\] = \{{\s*(-?\d+),", compiled.files["small_weights.h"])
    assert weight is not None
    other = -int(weight[1]) or 1
    return altered(compiled, "small_weights.h", rf"({name}\[\d+\] = \{{\s*)-?\d+,", rf"\g<1>{other},")


@pytest.mark.parametrize(
    ("target", "push", "place"),
    [("host", False, 0), ("host", False, 1), ("host", False, 2), ("host", True, 1), ("cortex-m4", False, 1)],
)
def test_a_wrong_weight_is_found_in_its_layer(
    small: tuple[bytes, Compiled], target: str, push: bool, place: int
) -> None:
    data, compiled = small
    layers = compiled.plan.program.layers
    index = [number for number, layer in enumerate(layers) if layer.kernel == "conv_2d"][place]
    result = result_of(spoilt_weight(compiled, index), data, target, Form(push=push))
    assert not result.passed
    assert 0 < result.differing_bytes < result.outputs_bytes
    assert 0 < result.differing_samples <= 5
    found = result.difference
    assert found is not None
    node = compiled.graph.nodes[layers[index].node]
    assert found.node == compiled.graph.node_label(node)
    assert found.layer == f"conv_2d_{place + 1}"
    assert found.expected != found.found
    assert 0 < found.wrong <= found.elements
    assert str(found) == result.problem
    assert f"expected {found.expected}, got {found.found}" in result.problem


def test_the_place_is_that_of_the_element(small: tuple[bytes, Compiled]) -> None:
    """A bias of one channel spoils that channel alone, from the first row and column on."""
    data, compiled = small
    name = f"{names_of(compiled.plan.program).layer(0)}_bias"
    spoilt = altered(compiled, "small_weights.h", rf"({name}\[8\] = \{{\s*(?:-?\d+, ){{5}})-?\d+", r"\g<1>20000")
    found = result_of(spoilt, data).difference
    assert found is not None
    _, row, column, channel = found.at
    assert channel == 5
    assert found.elements == 800
    assert found.wrong <= 100    # of that channel
    assert f"row {row}, column {column}, channel 5: expected" in str(found)


def test_rows_that_are_spoilt_later_are_told_from_layers_that_are_wrong(small: tuple[bytes, Compiled]) -> None:
    data, compiled = small
    late = "{ const int status = small_network(&m); output[7] ^= 1; return status; }"
    result = result_of(altered(compiled, "small.c", r"return small_network\(&m\);", late), data)
    assert result.differing_bytes == result.differing_samples == 5
    assert result.difference is None
    assert "every row of every layer was right when it was written" in result.problem


def test_an_output_of_another_type_is_compared_too() -> None:
    data = mixed_network()
    compiled = compile_model(data, "mixed", "mixed")
    name = f"{names_of(compiled.plan.program).layer(2)}_layer"
    text = compiled.files["mixed_weights.h"]
    scale = re.search(r"ec_dequantize \w+ = \{[^}]*\.scale = ([^,]+),", text)
    assert scale is not None, f"{name} has no scale"
    spoilt = altered(compiled, "mixed_weights.h", re.escape(f".scale = {scale[1]}"), ".scale = 0.25f")
    found = result_of(spoilt, data).difference
    assert found is not None
    assert "DEQUANTIZE" in found.node
    assert isinstance(found.found, float)
    assert "element [0, " in str(found)


def test_a_program_that_does_not_run_is_a_failure_of_its_target(small: tuple[bytes, Compiled]) -> None:
    data, compiled = small
    result = result_of(altered(compiled, "small.c", r"return small_network\(&m\);", "return -7;"), data)
    assert not result.passed
    assert result.stack is None
    assert "error -7" in result.problem


# --- samples ----------------------------------------------------------------------------------------------------------


def test_boards_run_a_spread_of_what_the_host_runs(tmp_path: Path) -> None:
    need("host", "cortex-m3")
    model = tmp_path / "small.tflite"
    model.write_bytes(small_network())
    targets = [load_target("host"), load_target("cortex-m3")]
    said: list[str] = []
    found = verify_file(resolve(str(model)).artefacts[0], targets, say=said.append)
    assert found.passed
    assert [result.samples for result in found.results] == [1000, 20]
    assert found.inputs == "random inputs"
    assert said == [
        "Computing 1000 samples as they should be",
        "Running 1000 samples on host",
        "Running 20 samples on cortex-m3",
    ]


@pytest.mark.slow
def test_data_that_cannot_be_had_are_replaced_aloud(digits_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artefact = next(one for one in resolve(str(digits_run)).artefacts if one.path.name == "model_int8.tflite")
    graph = compiled_model(artefact.path.read_bytes(), artefact).graph
    section = DataSection(set="image_folder", path=str(digits_run / "not there"))
    monkeypatch.setattr(verify, "default_section", lambda _: section)
    inputs = gather_inputs(artefact, graph, 30)
    assert inputs.source == "random inputs"
    assert inputs.remark.startswith("The model's data cannot be had, so random inputs are used. ")
    assert "not there" in inputs.remark
    with pytest.raises(EdgecnnError, match="not there"):
        gather_inputs(artefact, graph, None)


@pytest.mark.slow
def test_a_run_is_verified_on_its_test_samples_as_they_are_quantized_for_it(digits_run: Path) -> None:
    artefact = next(one for one in resolve(str(digits_run)).artefacts if one.path.name == "model_int8.tflite")
    compiled = compiled_model(artefact.path.read_bytes(), artefact)
    inputs = gather_inputs(artefact, compiled.graph, None)
    assert inputs.source == "test samples of digits"
    assert len(inputs) > 300
    assert inputs.arrays[0].dtype == np.int8
    assert inputs.arrays[0].shape[1:] == compiled.graph.tensors[compiled.graph.inputs[0]].shape
    need("host", "cortex-m0")
    found = verify_file(artefact, [load_target("host"), load_target("cortex-m0")], every_sample=True)
    assert found.passed
    assert [result.samples for result in found.results] == [len(inputs)] * 2
    assert found.name == "digits_tiny"


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_prints_a_table_and_json(cli: Cli, tmp_path: Path) -> None:
    need("host", "riscv32")
    model = tmp_path / "my net.tflite"
    model.write_bytes(small_network())
    done = cli("verify", model, "--on", "host,riscv32", "--samples", "3")
    assert re.search(r"^host +3 +0 of 450 .* identical", done.stdout, re.MULTILINE)
    assert re.search(r"^riscv32 +3 +0 of 450 .* identical", done.stdout, re.MULTILINE)
    document = json.loads(cli("verify", model, "--samples", "4", "--push", "--opt", "s", "--json").stdout)
    assert document["passed"] is True
    assert document["form"] == {"optimization": "-Os", "push": True}
    assert (document["name"], document["results"][0]["samples"]) == ("my_net", 4)
    assert document["results"][0]["sizes"]["weights"] > 1000


def test_the_command_fails_when_something_differs(
    cli_here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("host")
    model = tmp_path / "small.tflite"
    model.write_bytes(small_network())
    real: Any = compile_model
    monkeypatch.setattr(verify, "compile_model", lambda *given, **named: spoilt_weight(real(*given, **named), 0))
    code, out, _ = cli_here("verify", model, "--samples", "5")
    assert code == 1
    assert "samples differ" in out
    assert "host: first layer that differs: node 0 CONV_2D" in out
    code, out, _ = cli_here("verify", model, "--samples", "5", "--json")
    assert code == 1
    document = json.loads(out)
    assert document["passed"] is False
    assert document["results"][0]["difference"]["layer"] == "conv_2d_1"


def float_network() -> bytes:
    net = Network()
    image = net.input((1, 4, 4, 1), dtype=np.float32)
    return net.pack(net.op("RELU", [image], (1, 4, 4, 1), dtype=np.float32))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--on", "cortex-m1"], 2, "unknown target 'cortex-m1'"),
        (["--on", ","], 2, "no target named"),
        (["--samples", "0"], 2, "--samples 0: give a number of 1 or more, or all"),
        (["--samples", "many"], 2, "--samples many: give a number of 1 or more, or all"),
        (["--samples", "all"], 2, "there is no data set to take all samples of"),
    ],
)
def test_wrong_usage_is_refused(
    cli_here: Here, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    (tmp_path / "small.tflite").write_bytes(small_network())
    found = cli_here("verify", "small.tflite", *arguments)
    assert found[0] == code
    assert said in found[2]


def test_a_network_that_the_compiler_does_not_take_is_refused_by_name(cli_here: Here, tmp_path: Path) -> None:
    (tmp_path / "float.tflite").write_bytes(float_network())
    code, _, said = cli_here("verify", "float.tflite")
    assert code == 1
    assert "float.tflite: node 0 RELU" in said
    assert "float32" in said


def test_rows_cannot_be_pushed_into_several_inputs(cli_here: Here, tmp_path: Path) -> None:
    need("host")
    (tmp_path / "mixed.tflite").write_bytes(mixed_network())
    code, _, said = cli_here("verify", "mixed.tflite", "--push")
    assert code == 2
    assert "cannot be handed over row by row; verify it without --push" in said


def test_other_model_files_are_sent_where_they_belong(cli_here: Here, tmp_path: Path) -> None:
    (tmp_path / "net.keras").write_bytes(b"")
    code, _, said = cli_here("verify", "net.keras")
    assert code == 2
    assert "edgecnn quantize net.keras" in said


def test_a_missing_compiler_is_said_before_anything_runs(
    cli_here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "small.tflite").write_bytes(small_network())
    monkeypatch.setenv("PATH", str(tmp_path))
    code, out, said = cli_here("verify", "small.tflite", "--on", "cortex-m4")
    assert code == 1
    assert out == ""
    assert "compiling for cortex-m4 needs arm-none-eabi-gcc, which is not installed" in said
    assert "sudo apt-get install gcc-arm-none-eabi" in said
