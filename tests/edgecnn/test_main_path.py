"""``edgecnn run digits_tiny`` end to end, by the recipe as it stands, and what each of its files is worth."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.data import open_dataset
from edgecnn.recipe import DataSection
from tests.support import Cli

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def document(digits_run: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((digits_run.parent / "stdout.json").read_text(encoding="utf-8"))
    return loaded


def test_it_reaches_95_percent_in_int8(document: dict[str, Any]) -> None:
    assert document["quantization"]["accuracy"] >= 0.95
    assert document["quantization"]["samples"] == 359
    assert document["quantization"]["drop"] <= document["quantization"]["max_drop"] == 0.02
    assert document["problems"] == []


def test_every_artefact_is_there_and_as_recorded(digits_run: Path) -> None:
    from edgecnn.files import sha256_file

    info = json.loads((digits_run / "run.json").read_text())
    models = {"model.keras", "model_float.tflite", "model_int8.tflite", "model.onnx", "model_int8.onnx"}
    assert models | {"contract.json"} <= set(info["artefacts"])
    for name, artefact in info["artefacts"].items():
        assert sha256_file(digits_run / name) == artefact["sha256"], name
    for name in ("results.json", "results.md", "report.html", "history.png", "history.csv"):
        assert (digits_run / name).stat().st_size > 0
    assert list((digits_run / "tensorboard" / "train").iterdir())
    assert {"c_array/digits_tiny_model_data.c", "results.json", "report.html"} <= set(info["artefacts"])
    firmware = {f"firmware/digits_tiny{end}" for end in (".h", ".c", "_weights.h", "_kernels.h", "_memory.svg")}
    assert firmware <= set(info["artefacts"])
    assert {f"firmware/{path.name}" for path in (digits_run / "firmware").iterdir()} == firmware
    assert not (digits_run / "checkpoint.npz").exists()


def test_bench_and_quantize_agree_on_the_accuracy(document: dict[str, Any]) -> None:
    entries = document["results"]["entries"]
    by_file = {(entry["runtime"], entry["artefact"]): entry for entry in entries}
    assert {runtime for runtime, _ in by_file} == {"litert", "litert-ref", "onnxruntime"}
    int8 = by_file["litert", "model_int8.tflite"]
    assert int8["accuracy"] == document["quantization"]["accuracy"]
    assert by_file["litert", "model_float.tflite"]["accuracy"] == document["quantization"]["float_accuracy"]
    for entry in entries:
        assert 0 < entry["min_ms"] <= entry["p50_ms"] <= entry["p90_ms"] <= entry["p99_ms"] <= entry["max_ms"]
        assert len(entry["latencies_ms"]) == entry["num_runs"] == 50
        assert entry["accuracy"] > 0.94
        assert np.sum(entry["confusion_matrix"]) == 359


def test_contract_inside_and_beside_are_the_same_and_a_device_can_follow_it(digits_run: Path) -> None:
    from edgecnn.contract import parse_contract
    from edgecnn.runtimes import load_session
    from edgecnn.tflite_file import contract_of

    beside = parse_contract((digits_run / "contract.json").read_bytes(), "contract.json")
    assert contract_of(digits_run / "model_int8.tflite") == beside
    assert beside.labels == tuple("0123456789")
    assert beside.preprocess.scale == 0.0625
    # What the contract says, done by hand on raw pixels, is what the evaluation did.
    test = open_dataset(DataSection(set="digits")).test
    session = load_session("litert", digits_run / "model_int8.tflite")
    right = 0
    assert beside.input.scale is not None and beside.input.zero_point is not None
    for image, label in zip(test.x, test.y, strict=True):
        steps = np.rint(image.astype(np.float32) * np.float32(0.0625) / np.float32(beside.input.scale))
        sample = np.clip(steps + beside.input.zero_point, -128, 127).astype(np.int8)[None]
        right += int(session.run(sample).argmax() == label)
    assert right / len(test) == json.loads((digits_run / "run.json").read_text())["quantization"]["accuracy"]


def test_onnx_files_have_names_metadata_and_the_source_s_outputs(digits_run: Path) -> None:
    import onnx

    from edgecnn.contract import METADATA_NAME, parse_contract
    from edgecnn.runtimes import load_session

    test = open_dataset(DataSection(set="digits")).test
    for name, source, runtime in (
        ("model.onnx", "model.keras", "keras"),
        ("model_int8.onnx", "model_int8.tflite", "litert"),
    ):
        proto = onnx.load(digits_run / name)
        assert [value.name for value in (*proto.graph.input, *proto.graph.output)] == ["input", "output"]
        properties = {entry.key: entry.value for entry in proto.metadata_props}
        contract = parse_contract(properties[METADATA_NAME], name)
        ours, theirs = load_session("onnxruntime", digits_run / name), load_session(runtime, digits_run / source)
        agreed = 0
        for sample in contract.encode(test.x):
            a, b = ours.run(sample[None]).ravel().copy(), theirs.run(sample[None]).ravel().copy()
            agreed += int(a.argmax() == b.argmax())
            if name == "model.onnx":
                assert np.abs(a - b).max() <= 1e-5
        assert agreed / len(test) >= 0.995


def test_the_run_ends_as_c_source_that_gives_the_bytes_of_tflite_micro(digits_run: Path, tmp_path: Path) -> None:
    from edgecnn.contract import parse_contract
    from tests.firmware_export.c_build import build
    from tests.networks import tflite_micro

    data = (digits_run / "model_int8.tflite").read_bytes()
    contract = parse_contract((digits_run / "contract.json").read_bytes(), "contract.json")
    samples = [sample[None] for sample in contract.encode(open_dataset(DataSection(set="digits")).test.x)]
    source = (digits_run / "firmware" / "digits_tiny.c").read_text()
    assert '"9"' in source.partition("digits_tiny_labels[")[2]
    built = build(data, tmp_path, "digits_tiny")
    outputs = built.run_many([[sample] for sample in samples])[0]
    assert np.array_equal(outputs, np.stack([tflite_micro(data, sample)[0] for sample in samples]))


def test_run_results_and_report_have_the_memory_plan(digits_run: Path, document: dict[str, Any]) -> None:
    recorded = json.loads((digits_run / "run.json").read_text())["c_source"]
    assert recorded["memory"] == document["results"]["memory"]
    assert recorded["memory"]["weight_bytes"] < 4600
    assert recorded["memory"]["arena_bytes"] < recorded["memory"]["tflm_arena_bytes"]
    report = (digits_run / "report.html").read_text(encoding="utf-8")
    assert "memory-title" in report
    assert f"arena {recorded['memory']['arena_bytes']:,}" in report


def test_another_form_replaces_the_files_of_the_first(cli: Cli, digits_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "copy"
    shutil.copytree(digits_run, run)
    (run / "firmware" / "mine.c").write_text("mine")
    done = cli("export", run, "--to", "c", "--single-header", "--json")
    files = [f"{run}/firmware/digits_tiny.h", f"{run}/firmware/digits_tiny_memory.svg"]
    assert json.loads(done.stdout)["files"] == files
    assert done.stderr == ""
    names = {path.name for path in (run / "firmware").iterdir()}
    assert names == {"digits_tiny.h", "digits_tiny_memory.svg", "mine.c"}
    info = json.loads((run / "run.json").read_text())
    assert {name for name in info["artefacts"] if name.startswith("firmware/")} == {
        "firmware/digits_tiny.h", "firmware/digits_tiny_memory.svg",
    }    # fmt: skip
    cli("export", run, "--to", "c", "--out", tmp_path / "elsewhere", "--name", "tiny")
    assert (tmp_path / "elsewhere" / "tiny.c").is_file()
    assert json.loads((run / "run.json").read_text()) == info


def test_calibration_and_training_never_see_the_test_split(digits_run: Path) -> None:
    from edgecnn.quantization.convert import calibration_samples
    from edgecnn.runs import Run
    from edgecnn.training.train import training_splits

    recipe = Run(digits_run).info.recipe
    dataset = open_dataset(recipe.data)
    splits = training_splits(dataset, recipe)
    calibration = calibration_samples(splits.train, recipe.quantize.calibration, recipe.train.seed)
    tested, validated, learned, calibrated = (
        {image.tobytes() for image in samples.x}
        for samples in (dataset.test, splits.validation, splits.train, calibration)
    )
    assert len(tested) == 359 and len(calibrated) == 512
    assert not tested & (learned | validated)
    assert not learned & validated
    assert calibrated <= learned


def test_commands_take_the_run_and_its_plain_files(cli: Cli, digits_run: Path, tmp_path: Path) -> None:
    whole = json.loads(cli("evaluate", digits_run, "--json").stdout)
    plain = tmp_path / "elsewhere.tflite"
    plain.write_bytes((digits_run / "model_int8.tflite").read_bytes())
    alone = json.loads(cli("evaluate", plain, "--json").stdout)
    assert alone["accuracy"] == whole["accuracy"]
    summary = json.loads(cli("summary", digits_run, "--json").stdout)
    assert summary["weight_bytes"] < 4096
    written = json.loads(cli("export", plain, "--to", "onnx-int8", "--out", "x", "--json").stdout)
    assert written["agreement"] >= 0.995
    assert Path(tmp_path / written["path"]).is_file()


def test_a_plain_keras_file_quantizes_to_the_same_accuracy(cli: Cli, digits_run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.keras").write_bytes((digits_run / "model.keras").read_bytes())
    arguments = ["quantize", "mine.keras", "--data", "digits", "--preprocess", "scale=1/16"]
    done = cli(*arguments, "--json")
    figures = json.loads(done.stdout)
    assert figures["accuracy"] >= 0.95
    assert (tmp_path / "mine_int8.tflite").is_file()


def test_a_drop_above_the_budget_is_refused_and_a_point_is_worth_a_warning(
    digits_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from edgecnn.cli._common import Output
    from edgecnn.cli._judge import judge
    from edgecnn.errors import EdgecnnError
    from edgecnn.runs import Run

    figures = Run(digits_run).info.quantization
    assert figures is not None
    output = Output(json=False, quiet=False)
    with pytest.raises(EdgecnnError, match=r"int8 loses 2\.50 points"):
        judge(figures.model_copy(update={"drop": 0.025, "max_drop": 0.02}), output)
    judge(figures.model_copy(update={"drop": 0.015, "max_drop": 0.02}), output)
    assert "int8 loses 1.50 points" in capsys.readouterr().err
    judge(figures.model_copy(update={"drop": 0.009, "max_drop": 0.02}), output)
    assert capsys.readouterr().err == ""


def test_an_export_that_fails_costs_that_export_only(cli: Cli, tmp_path: Path) -> None:
    cli("train", "digits_tiny", "--epochs", "3", "--out", "run")
    (tmp_path / "run" / "c_array").write_text("in the way")
    done = cli("run", "digits_tiny", "--resume", "--out", "run", "--runs", "20", "--on", "litert", "--json", code=1)
    document = json.loads(done.stdout)
    assert "no C array" in document["problems"][0]
    assert "no C array" in document["results"]["notes"][0]
    assert (tmp_path / "run" / "report.html").is_file()
    assert (tmp_path / "run" / "model_int8.onnx").is_file()


def test_a_budget_that_is_exceeded_is_named(digits_run: Path) -> None:
    from edgecnn.pipeline import over_budget
    from edgecnn.runs import Run, RunInfo

    class Small(Run):
        @property
        def info(self) -> RunInfo:
            info = super().info
            budget = info.recipe.budget.model_copy(update={"flash": 3000, "ram": 100})
            return info.model_copy(update={"recipe": info.recipe.model_copy(update={"budget": budget})})

    memory = Run(digits_run).info.c_source.memory    # type: ignore[union-attr]
    assert over_budget(Run(digits_run)) == []
    assert over_budget(Small(digits_run)) == [
        f"The compiled model's weights have {memory.weight_bytes} bytes, budget.flash is 3000.",
        f"Its arena takes {memory.arena_bytes} bytes, budget.ram is 100.",
    ]


def test_without_compiled_source_the_budget_judges_the_int8_file(digits_run: Path) -> None:
    from edgecnn.pipeline import over_budget
    from edgecnn.runs import Run, RunInfo

    class Uncompiled(Run):
        @property
        def info(self) -> RunInfo:
            info = super().info
            budget = info.recipe.budget.model_copy(update={"flash": 8000, "ram": 100})
            recipe = info.recipe.model_copy(update={"budget": budget})
            return info.model_copy(update={"recipe": recipe, "c_source": None})

    found = over_budget(Uncompiled(digits_run))
    assert "model_int8.tflite has" in found[0] and "budget.flash is 8000" in found[0]
    if Run(digits_run).info.c_array.arena_bytes is not None:    # type: ignore[union-attr]
        assert "TFLite Micro's arena takes" in found[1] and "budget.ram is 100" in found[1]


def test_a_model_that_cannot_become_int8_is_refused_with_its_nodes(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "make.py").write_text(
        "import keras\n"
        "model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3, activation='elu'),\n"
        "  keras.layers.Flatten(), keras.layers.Dense(10, 'softmax')])\n"
        "model.save('elu.keras')\n"
    )
    subprocess.run([sys.executable, "make.py"], cwd=tmp_path, check=True, capture_output=True)
    done = cli("quantize", "elu.keras", "--data", "digits", "--preprocess", "scale=1/16", code=1)
    assert "ELU" in done.stderr
    assert not (tmp_path / "elu_int8.tflite").exists()
