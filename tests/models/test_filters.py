"""Each filter against its definition, in plain NumPy, on real images; and the whole way of one that is not trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.data import DataSet, Samples, open_dataset
from edgecnn.data.base import SplitName
from tests.training_runs import Silent, trained

pytestmark = pytest.mark.slow

VERTICAL_LINES = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]      # as the course notes have it
HORIZONTAL_LINES = [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]


def correlation(image: np.ndarray, kernel: Any) -> np.ndarray:
    """``y[i, j, c] = sum of x[i + m - 1, j + n - 1, c] * kernel[m, n]``, zeros around the image; float64."""
    height, width, _ = image.shape
    padded = np.pad(image.astype(np.float64), ((1, 1), (1, 1), (0, 0)))
    result = np.zeros(image.shape)
    for m in range(3):
        for n in range(3):
            result += padded[m : m + height, n : n + width] * kernel[m][n]
    return result


def size_of_the_gradient(image: np.ndarray) -> np.ndarray:
    return np.abs(correlation(image, VERTICAL_LINES)) + np.abs(correlation(image, HORIZONTAL_LINES))


DEFINITIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sobel_x": lambda image: correlation(image, VERTICAL_LINES),
    "sobel_y": lambda image: correlation(image, HORIZONTAL_LINES),
    "laplacian": lambda image: correlation(image, [[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
    "gaussian": lambda image: correlation(image, np.outer([1, 2, 1], [1, 2, 1]) / 16),
    "sharpen": lambda image: image - correlation(image, [[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
    "edges": size_of_the_gradient,
}


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """A piece of the roof in scikit-learn's sample image, ``[48, 64, 3]``, 0 to 1."""
    datasets = pytest.importorskip("sklearn.datasets")
    image: np.ndarray = datasets.load_sample_image("china.jpg")[100:148, 200:264]
    return image / np.float32(255)


def network(kernel: str, shape: tuple[int, ...], **arguments: Any) -> Any:
    from edgecnn.recipe import ModelSection
    from edgecnn.zoo import build_model, find_model

    section = ModelSection(name="filters", task="filter", arguments={"kernel": kernel, **arguments})
    return build_model(find_model("filters").source, section, shape, 10)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kernel", DEFINITIONS)
def test_image_filter(kernel: str, channels: int, photograph: np.ndarray) -> None:
    image = photograph[..., :channels]
    found = np.asarray(network(kernel, image.shape)(image[np.newaxis]))[0]
    assert found.shape == image.shape
    assert np.abs(found - DEFINITIONS[kernel](image)).max() < 1e-5
    assert found.std() > 0.05    # the picture has something to find


def test_sobel_tells_vertical_lines_from_horizontal_ones() -> None:
    image = np.zeros((9, 9, 1), np.float32)
    image[:, 4:] = 1
    for name, largest in (("sobel_x", 4), ("sobel_y", 0)):
        assert np.abs(np.asarray(network(name, image.shape)(image[None]))[0, 2:-2, 2:-2]).max() == largest


def test_moving_average_of_a_line_of_the_photograph(photograph: np.ndarray) -> None:
    signal = photograph[10]    # [64, 3]: brightness along a row of pixels
    before = np.concatenate([np.zeros((9, 3)), signal])
    expected = np.stack([before[t : t + 10].mean(axis=0) for t in range(64)])
    assert np.abs(np.asarray(network("moving_average", signal.shape)(signal[None]))[0] - expected).max() < 1e-6
    short = np.asarray(network("moving_average", signal.shape, window=1)(signal[None]))[0]
    assert np.array_equal(short, signal)


def test_the_kernels_of_the_model_are_those_that_are_tested() -> None:
    from edgecnn.errors import UsageError

    with pytest.raises(UsageError, match="unknown kernel 'blur'; known: ") as error:
        network("blur", (8, 8, 1))
    known = str(error.value).partition("known: ")[2].partition(" (")[0].split(", ")
    assert set(known) == {*DEFINITIONS, "moving_average"}
    with pytest.raises(UsageError, match="'moving_average' is for samples of 2 dimensions"):
        network("moving_average", (8, 8, 1))


def test_a_filter_goes_the_whole_way_without_an_accuracy(
    cli_here: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    pytest.importorskip("sklearn")
    data = ["--set", "data.set=digits", "--set", "preprocess.scale=0.0625"]
    code, said, errors = cli_here("run", "filters", *data, "--runs", "20", "--out", "run")
    assert code == 0, errors
    assert "dB PSNR" in said
    info, results = (json.loads((tmp_path / "run" / name).read_text()) for name in ("run.json", "results.json"))
    figures = info["quantization"]
    assert figures["accuracy"] is figures["drop"] is None
    assert figures["samples"] == 359
    assert figures["psnr_db"] > 45
    assert 0.5 <= figures["largest_error_steps"] < 4
    assert results["model"]["task"] == "filter"
    assert {entry["runtime"] for entry in results["entries"]} == {"litert", "litert-ref", "onnxruntime"}
    assert all(entry["accuracy"] is None and entry["p50_ms"] > 0 for entry in results["entries"])
    assert info["training"] is info["evaluation"] is None
    assert info["data"]["test_samples"] == 359
    made = {"model.keras", "model.onnx", "model_int8.onnx", "firmware/filters.c", "report.html"}
    assert made <= set(info["artefacts"])
    assert json.loads((tmp_path / "run" / "contract.json").read_text())["labels"] == []
    assert "accuracy" not in (tmp_path / "run" / "report.html").read_text().lower().replace("no accuracy", "")
    code, _, errors = cli_here("evaluate", "run")
    assert code == 2
    assert "nothing that it could be right about" in errors
    code, said, _ = cli_here("train", "filters", "--resume", "--out", "run")
    assert code == 0
    assert "nothing to train" in said


def test_moving_average_of_signals_in_int8_and_c(tmp_path: Path) -> None:
    from edgecnn.quantize_run import quantize_stage
    from tests.firmware_export.c_build import build
    from tests.networks import tflite_micro

    def scan_lines(dataset: DataSet) -> DataSet:
        """Each digit as the signal of a scanner: one pixel after the other, ``[64, 1]``."""

        def read(split: SplitName) -> tuple[Samples, dict[str, str]]:
            samples, digests = dataset.read(split)
            return Samples(samples.x.reshape(len(samples), 64, 1).astype(np.float32), samples.y), digests

        return DataSet(dataset.info, dataset.labels, dataset.source, read)

    pytest.importorskip("sklearn")
    overrides = ["data.set=digits", "model.arguments.kernel=moving_average", "preprocess={kind='signal'}"]
    run = trained("filters", tmp_path / "run", overrides, change=scan_lines)
    dataset = scan_lines(open_dataset(run.info.recipe.data))
    figures = quantize_stage(run, dataset, Silent())
    assert figures.psnr_db is not None
    assert figures.psnr_db > 45
    data = run.file("model_int8.tflite").read_bytes()
    inputs = np.random.default_rng(0).integers(-128, 128, (20, 1, 64, 1), dtype=np.int8)
    outputs = build(data, tmp_path).run_many([[sample] for sample in inputs])[0]
    assert np.array_equal(outputs, np.stack([tflite_micro(data, sample)[0] for sample in inputs]))
    onnx_is_judged_by_steps(run.file("model_int8.tflite"), inputs, tmp_path / "filter.onnx")


def onnx_is_judged_by_steps(source: Path, inputs: np.ndarray, path: Path) -> None:
    """A file that is off by more than rounding is refused, though there is no class that it could get wrong."""
    import onnx

    from edgecnn.errors import EdgecnnError
    from edgecnn.export.onnx_export import FILTER_STEPS, finish, onnx_contract, onnx_from_tflite, write_checked
    from edgecnn.tflite_file import contract_of

    contract = contract_of(source)
    assert contract is not None
    proto = onnx_from_tflite(source)
    contract = onnx_contract(proto, contract)
    proto = finish(proto, contract, "filter")
    samples = inputs.reshape(-1, *inputs.shape[2:])
    check = write_checked(proto, path, "litert", source, samples, quantized=True, contract=contract)
    assert (check.unit, check.samples) == ("steps", 20)
    assert check.largest_difference <= FILTER_STEPS
    path.unlink()
    last = [node for node in proto.graph.node if node.op_type == "QuantizeLinear"][-1]
    (zero_point,) = (one for one in proto.graph.initializer if one.name == last.input[2])
    shifted = onnx.numpy_helper.to_array(zero_point) + np.int8(FILTER_STEPS + 2)
    zero_point.CopyFrom(onnx.numpy_helper.from_array(shifted, zero_point.name))
    with pytest.raises(EdgecnnError, match=r"differs from .* by \d+ steps"):
        write_checked(proto, path, "litert", source, samples, quantized=True, contract=contract)
    assert not path.exists()
