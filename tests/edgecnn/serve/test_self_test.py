"""The self-test: a model that was measured passes, one that differs does not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.serve.self_test import decisive, own_outputs, run_self_test, write_self_test
from tests.edgecnn.serve.serving import DIGITS, digits, model_file, predictor_of
from tests.support import Cli


def stored(path: Path, model: Path, raw: np.ndarray, runtime: str = "litert-ref") -> np.ndarray:
    outputs = own_outputs(predictor_of(model, runtime), raw)
    write_self_test(path, raw, outputs, runtime)
    return outputs


def test_on_the_command_line(tmp_path: Path, cli: Cli) -> None:
    raw = digits(60)
    outputs = stored(tmp_path / "t.npz", DIGITS, raw)
    done = cli("serve", DIGITS, "--runtime", "litert-ref", "--self-test", "t.npz")
    assert "60 samples, 60 identical to the byte, 60 decided alike" in " ".join(done.stdout.split())
    found = json.loads(cli("serve", DIGITS, "--self-test", "t.npz", "--json", code=None).stdout)
    assert (found["runtime"], found["stored_by"], found["samples"]) == ("litert", "litert-ref", 60)
    assert found["passed"] == (found["agreeing"] == 60)

    outputs[7, 0] ^= 1    # a byte, not the class
    write_self_test(tmp_path / "byte.npz", raw, outputs, "litert-ref")
    done = cli("serve", DIGITS, "--runtime", "litert-ref", "--self-test", "byte.npz", code=1)
    assert "FAILED" in done.stdout and "sample 7." in done.stdout


def test_another_runtime_must_agree_in_class_alone(tmp_path: Path) -> None:
    predictor = predictor_of(DIGITS)
    raw = digits(100)
    outputs = stored(tmp_path / "all.npz", DIGITS, raw)
    sure = decisive(predictor.contract, outputs)
    assert sure.sum() > 80
    write_self_test(tmp_path / "t.npz", raw[sure], outputs[sure], "litert-ref")
    found = run_self_test(predictor, "litert", tmp_path / "t.npz")
    assert found.passed and not found.exact and found.agreeing == found.samples == sure.sum()
    turned = outputs[sure]
    turned[3] = -128
    turned[3, (int(outputs[sure][3].argmax()) + 1) % 10] = 127
    write_self_test(tmp_path / "t.npz", raw[sure], turned, "litert-ref")
    assert run_self_test(predictor, "litert", tmp_path / "t.npz").failed == (3,)


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("spam_text_cnn", np.array(["win a prize now", "see you at noon"])),
        ("har_watch", np.random.default_rng(0).normal(size=(3, 200, 6)).astype(np.float32)),
        ("unet", np.random.default_rng(0).integers(0, 256, (2, 128, 128, 1), np.uint8)),
        ("filters", np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), np.uint8)),
        ("spoken_digits_spectrogram", np.random.default_rng(0).integers(-9000, 9000, (2, 8000, 1), np.int16)),
    ],
)
def test_every_kind_of_sample(tmp_path: Path, name: str, raw: np.ndarray) -> None:
    model = model_file(name)
    outputs = stored(tmp_path / "t.npz", model, raw)
    assert decisive(predictor_of(model).contract, outputs).shape == (len(raw),)
    found = run_self_test(predictor_of(model, "litert-ref"), "litert-ref", tmp_path / "t.npz")
    assert found.passed and found.exact and found.identical == len(raw)
    other = run_self_test(predictor_of(model, "litert"), "litert", tmp_path / "t.npz")
    assert not other.exact and 0 <= other.agreeing <= len(raw)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    predictor, path = predictor_of(DIGITS), tmp_path / "t.npz"
    stored(path, DIGITS, digits(4))
    shutil.copy(path, tmp_path / "cut.npz")
    whole = path.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.npz").write_bytes(whole[:length])
        with pytest.raises(EdgecnnError, match="no whole self-test file"):
            run_self_test(predictor, "litert", tmp_path / "cut.npz")
    np.savez(path, version=2, samples=digits(1), outputs=np.zeros((1, 10), np.int8), runtime="litert")
    with pytest.raises(EdgecnnError, match="version 2"):
        run_self_test(predictor, "litert", path)
    np.savez(path, version=1, samples=digits(2), outputs=np.zeros((1, 10), np.int8), runtime="litert")
    with pytest.raises(EdgecnnError, match="one output for each"):
        run_self_test(predictor, "litert", path)
    np.savez(path, version=1, samples=digits(1), outputs=np.zeros((1, 2), np.int8), runtime="litert")
    with pytest.raises(EdgecnnError, match="belongs to another model"):
        run_self_test(predictor, "litert", path)
    with pytest.raises(EdgecnnError, match="one for each is needed"):
        write_self_test(path, digits(0), np.zeros((0, 10), np.int8), "litert")
