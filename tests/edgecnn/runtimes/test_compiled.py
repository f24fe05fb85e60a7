"""The sessions ``c`` and ``tflm``: one network, one answer, bit for bit; what they refuse; and profiles."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import EdgecnnError, MissingDependencyError
from edgecnn.mcu.targets import load_target
from edgecnn.mcu.toolchain import MissingToolError
from edgecnn.results import LayerTime
from edgecnn.runtimes import Profiler, Session, _litert_profile, installed, is_board, load_session, missing
from edgecnn.runtimes.base import layer_times
from edgecnn.tflite_file import contract_of, read_graph
from firmware_export.compiler import compile_model
from firmware_export.emit.names import names_of
from tests.edgecnn.mcu.models import mixed_network, small_network
from tests.firmware_export.int16_network import int16_network, samples

DIGITS = Path(__file__).resolve().parents[3] / "models" / "digits_tiny" / "model_int8.tflite"

pytestmark = pytest.mark.skipif(not installed("c"), reason="no C compiler")
needs_tflm = pytest.mark.skipif(not installed("tflm"), reason="tflite-micro is not installed")


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    """Real samples as the network takes them, ``[60, 1, 8, 8, 1]`` int8."""
    data = pytest.importorskip("sklearn.datasets").load_digits()
    contract = contract_of(DIGITS)
    assert contract is not None
    pixels = contract.preprocess.apply(data.images[-60:, :, :, np.newaxis])
    encoded: np.ndarray = contract.input.quantize(pixels)[:, np.newaxis]
    return encoded


def outputs(session: Session, inputs: np.ndarray) -> np.ndarray:
    return np.array([session.run(sample).copy() for sample in inputs])


@needs_tflm
def test_one_network_gives_one_answer_on_real_samples(digits: np.ndarray) -> None:
    sessions = {name: load_session(name, DIGITS) for name in ("tflm", "c", "litert-ref")}
    ends = {(session.input, session.output) for session in sessions.values()}
    assert len({(one.shape, one.dtype, one.scale, one.zero_point) for pair in ends for one in pair}) == 2
    found = {name: outputs(session, digits) for name, session in sessions.items()}
    np.testing.assert_array_equal(found["c"], found["tflm"])
    # LiteRT's own FULLY_CONNECTED rounds once, TFLite Micro's twice.
    assert np.abs(found["litert-ref"].astype(int) - found["tflm"].astype(int)).max() <= 4
    np.testing.assert_array_equal(found["litert-ref"].argmax(-1), found["tflm"].argmax(-1))


@needs_tflm
def test_convolutions_and_additions_are_bit_for_bit_litert_s_reference_too(tmp_path: Path) -> None:
    path = tmp_path / "small.tflite"
    path.write_bytes(small_network())
    inputs = np.random.default_rng(1).integers(-128, 128, (10, 1, 10, 10, 3), np.int8)
    found = [outputs(load_session(name, path), inputs) for name in ("tflm", "c", "litert-ref")]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


@needs_tflm
def test_int16_files_run_too(tmp_path: Path) -> None:
    path = tmp_path / "int16.tflite"
    path.write_bytes(int16_network())
    inputs = np.asarray(samples(5))
    found = [outputs(load_session(name, path), inputs) for name in ("tflm", "c")]
    assert found[0].dtype == np.int16
    np.testing.assert_array_equal(found[0], found[1])


def test_it_says_what_it_is(digits: np.ndarray) -> None:
    first, second = load_session("c", DIGITS), load_session("c", DIGITS)
    assert " -O2" in first.version and first.version.startswith("edgecnn ")
    target = load_target("native")
    assert first.version.endswith(" ".join(["-O2", *target.flags])), "this compiler knows this machine"
    plan = compile_model(DIGITS.read_bytes(), "d", "net", instruction_set=target.instruction_set, optimize="speed").plan
    assert getattr(first, "arena_bytes", None) == plan.arena_bytes
    assert getattr(first, "init_ms", 0.0) > 0
    # Two sessions of one file have a library each: neither writes where the other reads.
    one, other = first.run(digits[0]).copy(), second.run(digits[1]).copy()
    np.testing.assert_array_equal(first.run(digits[0]), one)
    np.testing.assert_array_equal(second.run(digits[1]), other)


def test_a_compiler_that_does_not_know_this_machine_makes_portable_c(
    digits: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    native = load_session("c", DIGITS)
    compiler = shutil.which("gcc") or shutil.which("clang") or "cc"
    text = f"""#!/bin/sh
for argument; do case "$argument" in -march=native|-mcpu=native) exit 1;; esac; done
exec {compiler} "$@"
"""
    other = tmp_path / "gcc"
    other.write_text(text)
    other.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    copy = tmp_path / "digits.tflite"
    copy.write_bytes(DIGITS.read_bytes())
    portable = load_session("c", copy)
    assert portable.version.endswith("-O2")
    np.testing.assert_array_equal(outputs(portable, digits), outputs(native, digits))


@needs_tflm
def test_the_arena_of_tflite_micro_is_the_smallest_that_works(capfd: pytest.CaptureFixture[str]) -> None:
    from tflite_micro.python.tflite_micro import runtime

    arena = getattr(load_session("tflm", DIGITS), "arena_bytes", 0)
    assert capfd.readouterr() == ("", "")
    runtime.Interpreter.from_bytes(DIGITS.read_bytes(), arena_size=arena)
    with pytest.raises(RuntimeError):
        runtime.Interpreter.from_bytes(DIGITS.read_bytes(), arena_size=arena - 16)


# --- What is refused -------------------------------------------------------------------------------------------------


def float_network(path: Path) -> Path:
    from tests.networks import Network

    net = Network()
    image = net.input((1, 4, 4, 2), dtype=np.float32)
    path.write_bytes(net.pack(net.op("RELU", [image], (1, 4, 4, 2), dtype=np.float32)))
    return path


@pytest.mark.parametrize("runtime", ["c", pytest.param("tflm", marks=needs_tflm)])
def test_a_float_file_is_one_sentence(tmp_path: Path, runtime: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EdgecnnError, match=r"float\.tflite: .*float.*edgecnn quantize"):
        load_session(runtime, float_network(tmp_path / "float.tflite"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("runtime", ["c", pytest.param("tflm", marks=needs_tflm)])
@pytest.mark.parametrize("content", [b"", b"no model at all" * 50, DIGITS.read_bytes()[:2000]])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, runtime: str, content: bytes) -> None:
    path = tmp_path / "broken.tflite"
    path.write_bytes(content)
    with pytest.raises(EdgecnnError, match=r"broken\.tflite") as caught:
        load_session(runtime, path)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("runtime", ["c", pytest.param("tflm", marks=needs_tflm)])
def test_two_inputs_are_refused_by_name(tmp_path: Path, runtime: str) -> None:
    path = tmp_path / "two.tflite"
    path.write_bytes(mixed_network())
    with pytest.raises(EdgecnnError, match=r"two\.tflite: the model has 2 inputs; supported: one"):
        load_session(runtime, path)


def test_without_a_compiler_the_message_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingToolError, match=r"needs gcc, which is not installed.*apt-get install gcc"):
        load_session("c", DIGITS)
    assert not installed("c")
    assert "apt-get install gcc" in str(missing("c", "--on c"))


def test_without_its_wheel_tflite_micro_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tflite_micro", "tflite_micro.python.tflite_micro"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependencyError, match=r"edgecnn\[mcu\]"):
        load_session("tflm", DIGITS)


def test_boards_are_no_runtimes() -> None:
    assert is_board("cortex-m4") and is_board("riscv32")
    assert not is_board("host") and not is_board("native") and not is_board("c") and not is_board("cortex-m99")


# --- Profiles --------------------------------------------------------------------------------------------------------


def check(profile: list[LayerTime]) -> None:
    names = [layer.name for layer in profile]
    assert len(set(names)) == len(names) > 0
    assert all(layer.ms >= 0 and layer.op for layer in profile)
    assert sum(layer.share for layer in profile) == pytest.approx(1)
    total = sum(layer.ms for layer in profile)
    assert [layer.share for layer in profile] == pytest.approx([layer.ms / total for layer in profile])


def test_the_profile_of_c_has_the_layers_of_the_compiled_network(digits: np.ndarray) -> None:
    session = load_session("c", DIGITS)
    assert isinstance(session, Profiler)
    before = outputs(session, digits[:3])
    profile = session.profile(list(digits), 20)
    check(profile)
    program = compile_model(DIGITS.read_bytes(), "digits", "net").plan.program
    assert [layer.name for layer in profile] == list(names_of(program).layers)
    assert [layer.op for layer in profile] == [layer.op for layer in program.layers]
    np.testing.assert_array_equal(outputs(session, digits[:3]), before)


def test_the_profile_of_litert_has_the_operators_of_xnnpack(
    digits: np.ndarray, capfd: pytest.CaptureFixture[str]
) -> None:
    session = load_session("litert", DIGITS)
    if not isinstance(session, Profiler):
        pytest.skip("this LiteRT has no profiler that is known")
    profile = session.profile(list(digits), 20)
    assert capfd.readouterr() == ("", "")
    check(profile)
    graph = read_graph(DIGITS)
    convolutions = sum(node.op in ("CONV_2D", "DEPTHWISE_CONV_2D") for node in graph.nodes)
    assert sum("convolution" in layer.op.lower() or "CONV_2D" in layer.op for layer in profile) == convolutions


def test_reference_kernels_and_tflite_micro_have_no_profile() -> None:
    names = ["litert-ref", *(["tflm"] if installed("tflm") else [])]
    assert not any(isinstance(load_session(name, DIGITS), Profiler) for name in names)


def test_a_profiler_that_crashes_is_one_sentence(tmp_path: Path, digits: np.ndarray) -> None:
    if not _litert_profile.is_offered():
        pytest.skip("this LiteRT has no profiler that is known")
    path = tmp_path / "broken.tflite"
    path.write_bytes(DIGITS.read_bytes()[:3000])
    with pytest.raises(EdgecnnError, match=r"broken\.tflite: LiteRT's profiler failed"):
        _litert_profile.profile(path, 1, digits[:2], 2)


@pytest.mark.slow
def test_the_profile_of_onnxruntime_has_nodes_of_its_graph(digits_run: Path) -> None:
    onnx = pytest.importorskip("onnx")
    session = load_session("onnxruntime", digits_run / "model.onnx")
    assert isinstance(session, Profiler)
    profile = session.profile([np.zeros(session.input.shape, np.float32)], 5)
    check(profile)
    ops = {node.op_type for node in onnx.load(digits_run / "model.onnx").graph.node}
    assert "Conv" in ops & {layer.op for layer in profile}


def test_names_are_made_unique() -> None:
    profile = layer_times([("conv", "CONV_2D"), ("conv", "CONV_2D"), ("pool", "MEAN")], [1.0, 2.0, 1.0])
    assert [(layer.name, layer.share) for layer in profile] == [("conv", 0.25), ("conv#2", 0.5), ("pool", 0.25)]
    check(profile)
