"""Quantizing a run: other schemes, and the ladder that finds what keeps the accuracy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgecnn.artefacts import resolve
from edgecnn.data import DataSet, open_dataset
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.quantization.convert import Form
from edgecnn.quantization.improve import Asked
from edgecnn.quantize_run import How, climb, quantize_stage
from edgecnn.runs import INT8_TFLITE, Run
from edgecnn.tflite_file import contract_of, read_graph
from tests.support import Cli
from tests.training_runs import Silent


@pytest.fixture
def run(digits_run: Path, tmp_path: Path) -> Iterator[Run]:
    """A copy of a trained run, to be changed."""
    shutil.copytree(digits_run, tmp_path / "run")
    yield Run(tmp_path / "run")


@pytest.fixture(scope="module")
def digits(digits_run: Path) -> DataSet:
    return open_dataset(Run(digits_run).info.recipe.data)


@pytest.mark.parametrize(
    ("form", "types", "ends"),
    [
        (Form("int16x8"), {"int16", "int8"}, "int16"),
        (Form("int8", per_tensor=True), {"int8", "int32"}, "int8"),
        (Form("int8", float_ends=True), {"int8", "float32"}, "float32"),
        (Form("dynamic"), {"float32", "int8"}, "float32"),
        (Form("float16"), {"float32", "float16"}, "float32"),
    ],
    ids=lambda value: value.file if isinstance(value, Form) else "",
)
def test_every_form_is_written_beside_the_int8_file(
    run: Run, digits: DataSet, form: Form, types: set[str], ends: str
) -> None:
    before = run.file(INT8_TFLITE).read_bytes()
    figures = quantize_stage(run, digits, Silent(), How(form))
    path = run.file(form.file)
    assert types <= {tensor.dtype for tensor in read_graph(path).tensors}
    contract = contract_of(path)
    assert contract is not None and (contract.input.dtype, contract.output.dtype) == (ends, ends)
    assert run.info.forms[form.file] == figures and figures.scheme == form.scheme
    assert abs(figures.drop or 0) < 0.03 and figures.samples == len(digits.test)
    assert run.file(INT8_TFLITE).read_bytes() == before
    assert form.file in {one.path.name for one in resolve(str(run.path)).artefacts}
    if form.per_tensor:
        weights = [one for one in read_graph(path).tensors if one.is_constant and one.dtype == "int8"]
        assert weights and all(one.quant is not None and not one.quant.per_channel for one in weights)


def test_better_numbers_are_recorded(run: Run, digits: DataSet) -> None:
    figures = quantize_stage(run, digits, Silent(), How(asked=Asked("auto", repair=True)))
    assert [step.name for step in figures.steps] == ["plain", "ranges", "equalization", "bias correction"]
    assert run.info.quantization == figures
    assert all(step.sqnr_db > 10 for step in figures.steps)


def test_the_ladder_ends_at_the_first_that_is_enough(run: Run, digits: DataSet) -> None:
    how, figures = climb(run, digits, Silent(), How(qat=1), max_drop=1.0)
    assert how == How()
    assert [rung.name for rung in figures.ladder] == ["int8"] and figures.ladder[0].enough


@pytest.mark.slow
def test_the_ladder_goes_to_its_end(run: Run, digits: DataSet) -> None:
    """Nothing gains a whole accuracy: every means is tried, and what was reached is told."""
    with pytest.raises(EdgecnnError, match=r"int8 .*ranges .*repair .*QAT, 1 epochs .*int16x8 "):
        climb(run, digits, Silent(), How(qat=1), max_drop=-1.0)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (How(Form("dynamic"), asked=Asked("mse")), "computes in float"),
        (How(Form("float16"), qat=2), "computes in float"),
        (How(Form("int16x8"), qat=2), "--qat trains the int8 file"),
    ],
)
def test_what_does_not_go_together_is_refused(run: Run, digits: DataSet, how: How, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        quantize_stage(run, digits, Silent(), how)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--auto", "--scheme", "int16x8"), "--auto chooses by itself"),
        (("--resume",), "give its --qat EPOCHS"),
        (("--limit", "5"), "are for --analyze"),
    ],
)
def test_options_that_contradict_each_other(cli: Cli, digits_run: Path, arguments: tuple[str, ...], said: str) -> None:
    result = cli("quantize", digits_run, *arguments, code=2)
    assert said in result.stderr


def test_training_starts_from_keras_and_not_from_a_file_of_integers(cli: Cli, digits_run: Path) -> None:
    result = cli("quantize", digits_run / INT8_TFLITE, "--qat", "2", code=2)
    assert "starts from the .keras model" in result.stderr and "so does --qat" in result.stderr


def test_analysis_of_two_files(cli: Cli, digits_run: Path, tmp_path: Path) -> None:
    files = [digits_run / name for name in ("model_float.tflite", "model_int8.tflite")]
    result = cli("quantize", *files, "--analyze", "--limit", "40", "--out", tmp_path, "--json")
    assert json.loads(result.stdout)["report"].endswith("quantization.html")
    assert (tmp_path / "quantization.html").is_file() and (tmp_path / "quantization.json").is_file()


def test_analysis_of_one_file_of_two(cli: Cli, digits_run: Path) -> None:
    result = cli("quantize", digits_run / INT8_TFLITE, "--analyze", code=2)
    assert "the float and the int8 .tflite" in result.stderr
