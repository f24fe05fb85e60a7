"""``edgecnn bench`` and ``edgecnn evaluate`` as a user types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn.results import Results, read_results
from tests.support import Cli
from tests.tflite_builder import pack, small_model


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.tflite"
    path.write_bytes(pack(small_model()))
    return path


@pytest.mark.slow
def test_bench_of_a_plain_file_writes_its_results(cli: Cli, small: Path, tmp_path: Path) -> None:
    done = cli("bench", small, "--on", "litert,litert-ref", "--runs", "20", "--json")
    printed = Results.model_validate_json(done.stdout)
    assert [entry.runtime for entry in printed.entries] == ["litert", "litert-ref"]
    folder = tmp_path / "bench-small"
    assert read_results(folder / "results.json") == printed
    assert "litert-ref" in (folder / "results.md").read_text(encoding="utf-8")
    assert "<html" in (folder / "report.html").read_text(encoding="utf-8")
    assert "XNNPACK" not in done.stderr
    compared = json.loads(cli("compare", "bench-small", folder / "results.json", "--json").stdout)
    assert [entry["verdict"] for entry in compared["entries"]] == ["noise", "noise"]
    assert "Noise: the interval of the ratio holds 1" in cli("compare", "bench-small", "bench-small").stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench-small", "small.tflite"]


@pytest.mark.slow
def test_bench_replaces_what_it_wrote_before(cli: Cli, small: Path, tmp_path: Path) -> None:
    for runs in (20, 7):
        said = cli("bench", small, "--on", "litert", "--runs", str(runs)).stdout
        assert len(read_results(tmp_path / "bench-small/results.json").entries[0].latencies_ms) == runs
    assert "random inputs" in said


def test_bench_leaves_files_of_others_alone(cli: Cli, small: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/results.json").write_text('{"the user": "wrote this"}')
    done = cli("bench", small, "--on", "litert", "--out", "mine", code=1)
    assert "mine/results.json is not a results file of edgecnn" in done.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["results.json"]
    (tmp_path / "file").touch()
    assert "it is a file" in cli("bench", small, "--on", "litert", "--out", "file", code=1).stderr


@pytest.mark.slow
def test_bench_of_two_files_of_one_name_keeps_both(cli: Cli, small: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    second = tmp_path / "other/small.tflite"
    second.write_bytes(small.read_bytes())
    done = cli("bench", small, second, "--on", "litert", "--runs", "5", "--json")
    assert len(json.loads(done.stdout)) == 2
    assert (tmp_path / "bench-small/results.json").is_file()
    assert (tmp_path / "bench-small-2/results.json").is_file()


@pytest.mark.slow
def test_what_was_measured_is_shown_though_another_model_fails(cli: Cli, small: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.tflite"
    model = small_model()
    model.subgraphs[0].outputs = []
    damaged.write_bytes(pack(model))
    done = cli("bench", damaged, small, "--on", "litert", "--runs", "3", "--json", code=1)
    assert [document["model"]["name"] for document in json.loads(done.stdout)] == ["small"]
    assert f"not measured: {damaged}: " in done.stderr
    assert "0 outputs" in done.stderr
    alone = cli("bench", damaged, "--on", "litert", "--json", code=1)
    assert "0 outputs" in alone.stderr
    assert alone.stdout == ""


def test_paths_are_printed_as_they_are_and_a_runtime_named_twice_is_measured_once(cli: Cli, small: Path) -> None:
    folder = "[old] runs of [/x] " + "that have a name longer than any terminal is wide " * 3 + "[bold]:car:"
    done = cli("bench", small, "--on", "litert, litert", "--runs", "3", "--out", folder)
    assert f"wrote  {folder}/report.html\n" in done.stdout
    assert len(read_results(small.parent / folder / "results.json").entries) == 1


def test_labels_with_brackets_are_printed_as_they_are(cli: Cli, tmp_path: Path) -> None:
    from PIL import Image

    labels = ("[x]", "[bold]", "a[old]")
    model = small_model()
    graph = model.subgraphs[0]
    graph.tensors[0].shape, graph.tensors[1].shape = [1, 6, 6, 3], [4, 3, 3, 3]
    kernel = np.random.default_rng(2).integers(-127, 128, (4, 3, 3, 3), np.int8)
    model.buffers[graph.tensors[1].buffer].data = np.frombuffer(kernel.tobytes(), np.uint8)
    file = tmp_path / "[old]" / "small[x].tflite"
    file.parent.mkdir()
    file.write_bytes(pack(model))
    for label in labels:
        folder = tmp_path / "images" / label
        folder.mkdir(parents=True)
        for number in range(10):
            Image.new("RGB", (6, 6), (number, 2 * number, 200)).save(folder / f"{number}.png")
    done = cli("evaluate", file, "--data", tmp_path / "images")
    assert done.stdout.startswith(f"{file} on litert")
    table = done.stdout.partition("Per class")[2]
    for label in labels:
        assert table.count(label) >= 2


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["bench", "small.tflite", "--on", ","], 2, "no runtime named"),
        (["bench", "small.tflite", "--on", "keras"], 2, "none of it runs on keras (keras takes .keras files)"),
        (["bench", "small.tflite", "--on", "litert", "--data", "digits"], 1, "takes 6×6×2 samples, the data has 8×8×1"),
        (["bench", "small.tflite", "--on", "litert", "--data", "digitz"], 2, "Did you mean 'digits'"),
        (["bench", "small.tflite", "--preprocess", "scale=big"], 2, "--preprocess scale=big"),
        (["bench", "small.tflite", "--runs", "0"], 2, "--runs"),
        (["bench", "small.tflite", "--on", "cortex-m5"], 2, "Did you mean 'cortex-m"),
        (["bench", "small.tflite", "--on", "ssh://pi:secret@host"], 2, "a password in an ssh address"),
        (["bench", "small.tflite", "--on", "fleet.toml"], 2, "fleet.toml: no such file"),
        (["bench", "small.tflite", "--pin", "4096"], 2, "--pin 4096: there is no such core"),
        (["bench", "small.tflite", "--sustain", "5 weeks"], 2, "such as 30s, 5m or 1h"),
        (["compare", "small.tflite", "small.tflite"], 1, "not a results file of schema_version"),
        (["compare", "nothing.json", "small.tflite"], 2, "nothing.json: no such file"),
        (["evaluate", "small.tflite"], 2, "does not say what data it is for"),
        (["evaluate", "small.tflite", "--data", "digits"], 1, "takes 6×6×2 samples, the data has 8×8×1"),
        (["evaluate", "small.tflite", "--data", "digits", "--on", "keras"], 2, "keras takes .keras files"),
        (["evaluate", "small.tflite", "--preprocess", "gain=2"], 2, "--preprocess gain=2"),
        (["evaluate", "notes.txt"], 2, "Supported: .tflite, .onnx, .keras"),
    ],
)
def test_what_cannot_be_meant(
    cli_here: Callable[..., tuple[int, str, str]],
    small: Path,
    tmp_path: Path,
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    (tmp_path / "notes.txt").touch()
    found, printed, said = cli_here(*arguments)
    assert (found, printed) == (code, "")
    assert words in " ".join(said.split())
    assert {path.name for path in tmp_path.iterdir()} == {small.name, "notes.txt"}


@pytest.mark.slow
def test_a_network_of_mlperf_on_images_of_a_zip(cli: Cli, shared: Path) -> None:
    model, images = shared / "models/ic_resnet8_int8.tflite", shared / "data/cifar10_jpeg.zip"
    done = cli("bench", model, "--data", f"image_folder:{images}", "--limit", "2000", "--runs", "50", "--json")
    results = Results.model_validate_json(done.stdout)
    assert [entry.runtime for entry in results.entries] == ["litert", "litert-ref", "onnxruntime"]
    for entry in results.entries:
        assert entry.samples == 2000
        assert entry.precision == "int8"
        assert entry.accuracy is not None
        assert 0.72 < entry.accuracy < 0.78
    assert any("raw pixels" in note for note in results.notes)
    assert any("converted from ic_resnet8_int8.tflite" in note for note in results.notes)


@pytest.mark.slow
def test_evaluate_says_what_bench_says(cli: Cli, digits_run: Path) -> None:
    results = read_results(digits_run / "results.json")
    by_row = {(entry.runtime, entry.artefact): entry for entry in results.entries}
    for arguments, artefact, runtime in (
        ([digits_run], "model_int8.tflite", "litert"),
        ([digits_run / "model_float.tflite"], "model_float.tflite", "litert"),
        ([digits_run / "model_int8.tflite", "--on", "litert-ref"], "model_int8.tflite", "litert-ref"),
        ([digits_run, "--on", "onnxruntime"], "model_int8.onnx", "onnxruntime"),
    ):
        said = json.loads(cli("evaluate", *arguments, "--json").stdout)
        entry = by_row[runtime, artefact]
        assert (Path(said["artefact"]).name, said["runtime"]) == (artefact, runtime)
        assert (said["accuracy"], said["accuracy_low"]) == (entry.accuracy, entry.accuracy_low)
        assert said["confusion_matrix"] == entry.confusion_matrix
        assert said["samples"] == np.sum(said["confusion_matrix"]) == entry.samples
        assert said["labels"] == [str(digit) for digit in range(10)]
        assert [figures["label"] for figures in said["per_class"]] == said["labels"]


@pytest.mark.slow
def test_a_run_is_compared_with_its_float_model(digits_run: Path) -> None:
    results = read_results(digits_run / "results.json")
    assert results.history is not None
    floats = [entry for entry in results.entries if entry.precision == "float32"]
    assert floats[0].agreement_with_float is None
    for entry in results.entries:
        if entry is not floats[0]:
            assert entry.agreement_with_float is not None
            assert entry.agreement_with_float > 0.97


@pytest.mark.slow
def test_evaluate_fits_eighty_columns(cli: Cli, digits_run: Path) -> None:
    done = cli("evaluate", digits_run)
    assert "95 % interval" in done.stdout
    assert "Confusion matrix" in done.stdout
    table = done.stdout.partition("Per class")[2]
    assert max(len(line.rstrip()) for line in table.splitlines()) <= 80
