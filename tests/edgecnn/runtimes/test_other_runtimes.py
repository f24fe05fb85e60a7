"""ONNX Runtime and Keras sessions beside LiteRT: the same network, the same answers, the same refusals."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import EdgecnnError, MissingDependencyError
from edgecnn.runtimes import load_session


def damage(tmp_path: Path, name: str, content: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("runtime", "name"), [("onnxruntime", "m.onnx"), ("keras", "m.keras")])
@pytest.mark.parametrize("content", [b"", b"no model at all" * 100, b"PK\x03\x04" + bytes(500)])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, runtime: str, name: str, content: bytes) -> None:
    path = damage(tmp_path, name, content)
    with pytest.raises(EdgecnnError, match=name.replace(".", r"\.")) as caught:
        load_session(runtime, path)
    assert "again" in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("runtime", "package", "extra"), [("onnxruntime", "onnxruntime", "onnx"), ("keras", "keras", "train")]
)
def test_a_missing_package_names_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    suffix = {"onnxruntime": ".onnx", "keras": ".keras"}[runtime]
    with pytest.raises(MissingDependencyError, match=rf"edgecnn\[{extra}\]"):
        load_session(runtime, damage(tmp_path, f"m{suffix}", b"x"))


@pytest.mark.slow
def test_one_network_in_four_files_gives_one_answer(digits_run: Path) -> None:
    pixels = np.random.default_rng(8).integers(0, 17, (20, 1, 8, 8, 1)).astype(np.float32) / 16
    outputs = {}
    for runtime, name in (("keras", "model.keras"), ("litert", "model_float.tflite"), ("onnxruntime", "model.onnx")):
        session = load_session(runtime, digits_run / name)
        assert (session.input.shape, session.output.shape) == ((1, 8, 8, 1), (1, 10))
        assert session.input.dtype == session.output.dtype == "float32"
        outputs[runtime] = np.array([session.run(sample)[0] for sample in pixels])
    np.testing.assert_allclose(outputs["litert"], outputs["keras"], atol=1e-5)
    np.testing.assert_allclose(outputs["onnxruntime"], outputs["keras"], atol=1e-5)

    quantized = [
        load_session("litert", digits_run / "model_int8.tflite"),
        load_session("onnxruntime", digits_run / "model_int8.onnx"),
    ]
    ends = [(session.input.scale, session.input.zero_point, session.output.scale) for session in quantized]
    assert ends[0] == ends[1]
    encoded = quantized[0].input.quantize(pixels)
    steps = [np.array([session.run(sample) for sample in encoded], dtype=int) for session in quantized]
    assert np.abs(steps[0] - steps[1]).max() <= 3
