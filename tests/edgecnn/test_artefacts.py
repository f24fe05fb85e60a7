"""Which model files a reference means, and what is known about them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgecnn.artefacts import resolve
from edgecnn.contract import METADATA_NAME
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.runs import ONNX


def test_files_that_are_no_models(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no model")
    with pytest.raises(UsageError, match=r"Supported: \.tflite, \.onnx, \.keras"):
        resolve(str(tmp_path / "notes.txt"))
    with pytest.raises(EdgecnnError, match="no such file"):
        resolve(str(tmp_path / "nothing.tflite"))


@pytest.mark.slow
def test_a_run_has_all_its_files_with_contracts(digits_run: Path) -> None:
    target = resolve(str(digits_run))
    assert target.name == "digits_tiny"
    present = {artefact.path.name for artefact in target.artefacts}
    assert {"model.keras", "model_float.tflite", "model_int8.tflite"} <= present
    for artefact in target.artefacts:
        assert artefact.contract is not None
        assert artefact.contract.labels == tuple("0123456789")
        assert artefact.contract.input.dtype == ("int8" if "int8" in artefact.path.name else "float32")
        alone = resolve(str(artefact.path))
        assert alone.artefacts[0].contract == artefact.contract
        assert alone.run is not None


@pytest.mark.slow
def test_an_onnx_in_a_run_is_known_by_the_contract_inside_it(digits_run: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    run = shutil.copytree(digits_run, tmp_path / "run")
    proto = onnx.load(run / ONNX)
    (stored,) = (entry for entry in proto.metadata_props if entry.key == METADATA_NAME)
    stored.value = stored.value.replace('"scale": 0.0625', '"scale": 0.125')
    onnx.save(proto, run / ONNX)
    inside = {artefact.path.name: artefact.contract for artefact in resolve(str(run)).artefacts}[ONNX]
    alone = resolve(str(shutil.copy(run / ONNX, tmp_path / "alone.onnx"))).artefacts[0].contract
    assert inside is not None
    assert inside.preprocess.scale == 0.125
    assert inside == alone
