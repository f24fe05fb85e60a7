"""The built wheel, installed with the base dependencies alone into a fresh environment, run from another folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = "Scripts" if os.name == "nt" else "bin"

pytestmark = pytest.mark.slow

CONVERT = """
import sys
import numpy as np, keras, tensorflow as tf

keras.utils.set_random_seed(1)
image = keras.Input(batch_shape=(1, 8, 8, 1))
x = keras.layers.Conv2D(4, 3, activation="relu")(image)
x = keras.layers.Dense(10, activation="softmax")(keras.layers.Flatten()(x))
converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, x))
converter.optimizations = [tf.lite.Optimize.DEFAULT]
samples = np.random.default_rng(1).random((32, 1, 8, 8, 1), dtype=np.float32)
converter.representative_dataset = lambda: ([sample] for sample in samples)
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = converter.inference_output_type = tf.int8
open(sys.argv[1], "wb").write(converter.convert())
"""


def run(*command: str | Path, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a program with an environment that says nothing of the checkout; its exit code is asserted."""
    environment = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**environment, "NO_COLOR": "1", "PYTHONUTF8": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=900,
    )
    assert done.returncode == code, f"{command}\nexit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the source distribution, not from the checkout: what a packager would get."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", out, cwd=ROOT)
    (sdist,) = out.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(out / "source")
    (source,) = (out / "source").iterdir()
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out, cwd=source)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment that has the wheel and what it requires. Made by uv, else by pip."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    own = Path(sys.executable).parent / "uv"
    uv = str(own) if own.exists() else shutil.which("uv")
    python = folder / BIN / "python"
    constraints = ["-c", str(ROOT / "constraints.txt"), str(wheel)]
    ways = [
        ([sys.executable, "-m", "venv", str(folder)], [str(python), "-m", "pip", "install", "--quiet", *constraints]),
    ]
    if uv is not None:
        create = [uv, "venv", "--quiet", "--python", sys.executable, str(folder)]
        ways.insert(0, (create, [uv, "pip", "install", "--quiet", "--python", str(python), *constraints]))
    said = []
    for create, install in ways:
        shutil.rmtree(folder, ignore_errors=True)
        for command in (create, install):
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=900)
            if done.returncode != 0:
                said.append(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
                break
        else:
            return folder / BIN
    text = "\n".join(said)
    if any(sign in text for sign in ("Failed to fetch", "error sending request", "NewConnectionError", "Max retries")):
        pytest.skip("the package index cannot be reached")
    pytest.fail(text)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small int8 ``.tflite`` straight from TensorFlow's converter, without a contract."""
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    run(sys.executable, "-c", CONVERT, path, cwd=path.parent)
    return path


def test_wheel_holds_everything_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = set()
    for package in ("edgecnn", "firmware_export"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                expected.add(path.relative_to(ROOT).as_posix())
    for path in (ROOT / "models").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            expected.add("edgecnn/" + path.relative_to(ROOT).as_posix())
    assert names == expected
    assert {"edgecnn/py.typed", "firmware_export/py.typed", "edgecnn/models/digits_tiny/recipe.toml"} <= names
    assert any(name.endswith(".j2") for name in names)


def test_nothing_is_taken_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    code = (
        "import edgecnn.zoo, firmware_export\n"
        "print(edgecnn.__file__, firmware_export.__file__, edgecnn.zoo.models_folder(), sep='\\n')"
    )
    for place in run(installed / "python", "-c", code, cwd=tmp_path).stdout.splitlines():
        assert Path(place).resolve().is_relative_to(installed.parent.resolve())
        assert "site-packages" in place


@pytest.mark.parametrize("package", ["tensorflow", "keras", "onnx", "matplotlib", "sklearn", "jinja2"])
def test_base_install_brings_nothing_heavy(installed: Path, tmp_path: Path, package: str) -> None:
    done = run(installed / "python", "-c", f"import {package}", cwd=tmp_path, code=1)
    assert f"No module named '{package}'" in done.stderr


def test_help(installed: Path, tmp_path: Path) -> None:
    assert "Commands:" in run(installed / "edgecnn", "--help", cwd=tmp_path).stdout


def test_models(installed: Path, tmp_path: Path) -> None:
    listed = run(installed / "edgecnn", "models", cwd=tmp_path).stdout
    for folder in (ROOT / "models").glob("*/recipe.toml"):
        assert folder.parent.name in listed


def test_doctor(installed: Path, tmp_path: Path) -> None:
    document = json.loads(run(installed / "edgecnn", "doctor", "--deep", "--json", cwd=tmp_path).stdout)
    assert document["base_works"] is True
    states = {check["name"]: check for check in document["checks"]}
    assert states["TFLite runtime"]["status"] == "ok"
    assert states["train"]["status"] == "missing"
    assert states["train"]["get"] == "pip install 'edgecnn[train]'"


def test_summary(installed: Path, tmp_path: Path, model: Path) -> None:
    text = run(installed / "edgecnn", "summary", model, cwd=tmp_path).stdout.upper()
    assert "CONV_2D" in text
    assert "FULLY_CONNECTED" in text


def test_bench(installed: Path, tmp_path: Path, model: Path) -> None:
    done = run(installed / "edgecnn", "bench", model, "--on", "litert", "--runs", "20", "--json", cwd=tmp_path)
    (entry,) = json.loads(done.stdout)["entries"]
    assert entry["runtime"] == "litert"
    assert entry["p50_ms"] > 0
    assert json.loads((tmp_path / "bench-small" / "results.json").read_text(encoding="utf-8"))["entries"] == [entry]


def test_compiler(installed: Path, tmp_path: Path, model: Path) -> None:
    run(installed / "edgecnn", "export", model, "--to", "c", "--out", "one", cwd=tmp_path)
    run(installed / "python", "-m", "firmware_export", model, "--out", "other", cwd=tmp_path)
    sources = sorted(path.name for path in (tmp_path / "other").iterdir())
    assert sources == ["small.c", "small.h", "small_kernels.h", "small_weights.h"]
    for source in sources:
        assert (tmp_path / "one" / source).read_bytes() == (tmp_path / "other" / source).read_bytes()
    if shutil.which("gcc") is not None:
        run("gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-c", "small.c", cwd=tmp_path / "other")


def test_training_says_which_extra_is_missing(installed: Path, tmp_path: Path) -> None:
    done = run(installed / "edgecnn", "train", "digits_tiny", cwd=tmp_path, code=1)
    assert "pip install 'edgecnn[train]'" in done.stderr
    assert "Traceback" not in done.stderr
