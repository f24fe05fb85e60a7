"""The text network, trained for real for a moment: from messages to C."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn.preprocess import TextPreprocess
from edgecnn.runs import Run

pytestmark = pytest.mark.slow

Here = Callable[..., tuple[int, str, str]]


def test_it_learns_to_tell_spam_and_keeps_it_in_int8_and_c(shared: Path, cli_here: Here, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    path = f"data.path={shared / 'data/SMSSpamCollection.tsv'}"
    settings = ["--set", path, "--set", "data.split=deduplicated", "--epochs", "4", "--out", "run"]
    code, _, said = cli_here("train", "spam_text_cnn", *settings)
    assert code == 0, said
    run = Run(tmp_path / "run")
    assert run.info.evaluation is not None
    ham, spam = run.info.evaluation.per_class
    # 0.13 of the messages are spam: calling all of them spam gives an F1 of 0.22, none of them 0.
    assert (ham.label, spam.label) == ("ham", "spam")
    assert spam.f1 is not None and spam.f1 > 0.8
    assert run.info.evaluation.auc is not None and run.info.evaluation.auc > 0.95
    preprocess = run.info.preprocessing
    assert isinstance(preprocess, TextPreprocess)
    assert {"free", "txt", "00000000000"} < set(preprocess.vocabulary)    # 11 digits: a British mobile number

    code, _, said = cli_here("quantize", "run")
    assert code == 0, said
    assert run.info.quantization is not None
    assert run.info.quantization.agreement_with_float > 0.99
    contract = json.loads((tmp_path / "run/contract.json").read_text(encoding="utf-8"))
    assert (contract["task"], contract["input"]["dtype"], contract["output"]["dtype"]) == ("binary", "int32", "int8")
    assert contract["preprocess"] == json.loads(preprocess.model_dump_json())
    code, out, said = cli_here("verify", "run", "--on", "host", "--samples", "100")
    assert code == 0, said
    assert "identical" in out


def test_as_many_outputs_as_classes_and_a_table_as_large_as_the_vocabulary() -> None:
    pytest.importorskip("keras", reason="Keras is not installed")
    from edgecnn.zoo import build_model, find_model

    model = find_model("spam_text_cnn")
    recipe = model.recipe()
    assert isinstance(recipe.preprocess, TextPreprocess)
    assert recipe.model.arguments["vocabulary_size"] == recipe.preprocess.vocabulary_size
    spam = build_model(model.source, recipe.model, (48,), 2)
    news = build_model(model.source, recipe.model.model_copy(update={"task": "classification"}), (200,), 5)
    assert spam.output_shape == (None, 1)
    assert news.output_shape == (None, 5)
    np.testing.assert_allclose(np.asarray(news(np.ones((3, 200), np.int32))).sum(axis=1), 1, rtol=1e-5)
