"""The LiteRT session: what it says of a file, what it computes, and what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgecnn.errors import EdgecnnError, MissingDependencyError
from edgecnn.runtimes import RUNTIMES, installed, load_session, missing, runtime_spec
from edgecnn.runtimes.base import tensor_contract
from tests.firmware_export.int16_network import int16_network, samples
from tests.networks import tflite_micro
from tests.tflite_builder import pack, small_model


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.tflite"
    path.write_bytes(pack(small_model()))
    return path


def random_inputs(count: int = 20) -> np.ndarray:
    return np.random.default_rng(3).integers(-128, 128, (count, 1, 6, 6, 2), np.int8)


def test_it_describes_input_and_output(small: Path) -> None:
    session = load_session("litert", small)
    assert (session.input.name, session.input.shape, session.input.dtype) == ("image", (1, 6, 6, 2), "int8")
    assert (session.input.scale, session.input.zero_point) == (pytest.approx(1 / 255), -128)
    assert (session.output.shape, session.output.scale, session.output.zero_point) == ((1, 3), 1 / 256, -128)
    assert session.version.startswith("ai-edge-litert ")


@pytest.mark.parametrize("threads", [1, 2])
def test_it_computes_what_the_bare_interpreter_does(small: Path, threads: int) -> None:
    from ai_edge_litert.interpreter import Interpreter

    bare = Interpreter(model_path=str(small), num_threads=threads)
    bare.allocate_tensors()
    session = load_session("litert", small, threads)
    for sample in random_inputs():
        bare.set_tensor(bare.get_input_details()[0]["index"], sample)
        bare.invoke()
        np.testing.assert_array_equal(session.run(sample), bare.get_tensor(bare.get_output_details()[0]["index"]))


def test_int16_files_run_too(tmp_path: Path) -> None:
    """To within a few steps of TFLite Micro: LiteRT's FULLY_CONNECTED rounds in another way."""
    path = tmp_path / "int16.tflite"
    path.write_bytes(int16_network())
    session = load_session("litert", path)
    assert (session.input.dtype, session.input.zero_point, session.output.dtype) == ("int16", 0, "int16")
    for sample in samples(4):
        found, wanted = session.run(sample).astype(int), tflite_micro(int16_network(), sample)[0].astype(int)
        assert np.abs(found - wanted).max() <= 8


def test_reference_kernels_are_another_implementation_of_the_same_network(shared: Path) -> None:
    path = shared / "models/kws_dscnn_int8.tflite"
    fast, reference = load_session("litert", path), load_session("litert-ref", path)
    inputs = np.random.default_rng(3).integers(-128, 128, (20, *fast.input.shape), np.int8)
    outputs = [np.array([session.run(sample) for sample in inputs], dtype=int) for session in (fast, reference)]
    assert np.abs(outputs[0] - outputs[1]).max() <= 8
    assert (outputs[0].argmax(-1) == outputs[1].argmax(-1)).mean() >= 0.9


def test_a_batch_left_open_is_one(shared: Path) -> None:
    session = load_session("litert", shared / "models/ic_resnet8_int8.tflite")
    assert session.input.shape == (1, 32, 32, 3)
    assert session.run(np.zeros((1, 32, 32, 3), np.int8)).shape == (1, 10)


def test_native_code_says_nothing(small: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_session("litert", small).run(random_inputs(1)[0])
    assert capfd.readouterr() == ("", "")


def damaged(name: str, whole: bytes) -> bytes:
    return {"empty": b"", "garbage": b"no model at all" * 50, "truncated": whole[: len(whole) // 2]}[name]


@pytest.mark.parametrize("name", ["empty", "garbage", "truncated"])
@pytest.mark.parametrize("runtime", ["litert", "litert-ref"])
def test_a_damaged_file_is_one_sentence(
    small: Path, name: str, runtime: str, capfd: pytest.CaptureFixture[str]
) -> None:
    small.write_bytes(damaged(name, small.read_bytes()))
    with pytest.raises(EdgecnnError, match=r"small\.tflite.*(Copy|again)"):
        load_session(runtime, small)
    assert capfd.readouterr() == ("", "")


def test_missing_folder_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(EdgecnnError, match="no such file"):
        load_session("litert", tmp_path / "nothing.tflite")
    with pytest.raises(EdgecnnError, match="is a folder"):
        load_session("litert", tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"x")
    with pytest.raises(EdgecnnError, match=r"takes \.tflite files, not \.onnx"):
        load_session("litert", tmp_path / "model.onnx")


def two_outputs(model: Any) -> None:
    model.subgraphs[0].outputs = [model.subgraphs[0].outputs[0], model.subgraphs[0].operators[2].outputs[0]]


def custom_op(model: Any) -> None:
    model.operatorCodes[3].builtinCode = schema.BuiltinOperator.CUSTOM
    model.operatorCodes[3].deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    model.operatorCodes[3].customCode = "MyOwnSoftmax"
    model.subgraphs[0].operators[3].builtinOptions = None
    model.subgraphs[0].operators[3].builtinOptionsType = 0


@pytest.mark.parametrize(
    ("change", "words"), [(two_outputs, "2 outputs; supported: one"), (custom_op, "built-in ops only")]
)
def test_what_is_not_supported_is_named(small: Path, change: Any, words: str) -> None:
    model = small_model()
    change(model)
    small.write_bytes(pack(model))
    with pytest.raises(EdgecnnError, match=words):
        load_session("litert", small)


@pytest.mark.parametrize(
    ("machine", "python", "advice"),
    [
        ("x86_64", (3, 13), "pip install ai-edge-litert"),
        ("aarch64", (3, 11), "pip install ai-edge-litert"),
        ("armv7l", (3, 11), "pip install tflite-runtime 'numpy<2'"),
        ("armv7l", (3, 12), "a 64-bit system, or Python 3.11 with tflite-runtime"),
    ],
)
def test_without_any_interpreter_the_advice_is_what_fits_the_machine(
    small: Path, monkeypatch: pytest.MonkeyPatch, machine: str, python: tuple[int, int], advice: str
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("sys.version_info", python)
    for name in (
        "ai_edge_litert.interpreter",
        "tflite_runtime",
        "tflite_runtime.interpreter",
        "tensorflow.lite.python.interpreter",
    ):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependencyError) as caught:
        load_session("litert", small)
    assert str(caught.value).endswith(f"Get it with: {advice}")
    assert str(missing("litert-ref", "--on litert-ref")).endswith(f"Get it with: {advice}")
    assert str(missing("onnxruntime", "--on onnxruntime")).endswith("pip install 'edgecnn[onnx]'")


def test_installed_asks_for_the_package_or_one_that_serves_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"tflite_runtime"}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if name in there else None)
    assert [name for name in RUNTIMES if installed(name)] == ["litert", "litert-ref", "tflite-runtime"]


def test_the_older_wheel_is_a_runtime_of_its_own(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tflite_runtime", None)
    with pytest.raises(MissingDependencyError, match=r"pip install tflite-runtime 'numpy<2'$"):
        load_session("tflite-runtime", small)
    assert str(missing("tflite-runtime", "--on tflite-runtime")).endswith("pip install tflite-runtime 'numpy<2'")


def test_the_older_wheel_under_numpy_2_is_one_sentence(
    small: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The wheel is imported without a word, and fails when an interpreter is made: so it is not asked."""
    (tmp_path / "tflite_runtime").mkdir()
    (tmp_path / "tflite_runtime" / "__init__.py").touch()
    (tmp_path / "tflite_runtime" / "interpreter.py").write_text("class Interpreter: ...\n")
    for name in ("tflite_runtime", "tflite_runtime.interpreter"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("numpy.__version__", "2.4.6")
    with pytest.raises(EdgecnnError, match=r"built for NumPy 1, and NumPy 2\.4\.6 is installed.*'numpy<2'"):
        load_session("tflite-runtime", small)


def test_an_unknown_runtime_has_a_closest_match() -> None:
    with pytest.raises(EdgecnnError, match=r"unknown runtime 'onnx_runtime'.*'onnxruntime'"):
        runtime_spec("onnx_runtime")


@pytest.mark.parametrize(
    ("shape", "dtype", "words"),
    [
        ((1, None, 28, 1), "float32", r"\[1, \?, 28, 1\]; only the batch may be open"),
        ((8, 28, 28, 1), "float32", "has batch 8; supported: 1"),
        ((1, 28, 28, 1), "float16", "is float16; supported: float32"),
    ],
)
def test_ends_that_cannot_be_measured(shape: tuple[object, ...], dtype: str, words: str) -> None:
    with pytest.raises(EdgecnnError, match=words):
        tensor_contract(Path("m.onnx"), "x", shape, dtype)


@pytest.mark.parametrize("batch", [None, "batch", -1, 1])
def test_an_open_batch_in_any_spelling_is_one(batch: object) -> None:
    assert tensor_contract(Path("m.onnx"), "x", (batch, 8, 8, 1), "float32").shape == (1, 8, 8, 1)
