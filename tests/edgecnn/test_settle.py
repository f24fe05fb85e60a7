"""What is inferred of a model file that says nothing, and what goes before it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.artefacts import ModelFile, resolve
from edgecnn.contract import METADATA_NAME, Contract, TensorContract
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.preprocess import ImagePreprocess
from edgecnn.settle import CONVENTIONS, in_data_order, infer_preprocess, parse_preprocess, settle_contract
from edgecnn.tflite_metadata import embed
from tests.tflite_builder import pack, small_model

LABELS = ("cat", "dog", "emu")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.tflite"
    path.write_bytes(pack(small_model()))
    return path


def contract(labels: tuple[str, ...] = LABELS, data_set: str | None = "digits") -> Contract:
    return Contract(
        name="small",
        labels=labels,
        preprocess=ImagePreprocess(scale=1 / 127.5, offset=-1),
        input=TensorContract(name="image", shape=(1, 6, 6, 2), dtype="int8", scale=1 / 255, zero_point=-128),
        output=TensorContract(name="classes", shape=(1, 3), dtype="int8", scale=1 / 256, zero_point=-128),
        data_set=data_set,
    )


@pytest.mark.parametrize(
    ("text", "scale", "offset"),
    [
        ("scale=0.00392,offset=0", 0.00392, 0.0),
        ("scale=1/255", 1 / 255, 0.0),
        ("offset=-128", 1.0, -128.0),
        (" scale = 1/127.5 , offset = -1 ", 1 / 127.5, -1.0),
        ("scale=2e-3,offset=+.5", 0.002, 0.5),
    ],
)
def test_preprocess_option(text: str, scale: float, offset: float) -> None:
    assert parse_preprocess(text) == ImagePreprocess(scale=scale, offset=offset)


@pytest.mark.parametrize(
    "text",
    ["", "scale", "scale=", "scale=x", "scale=1/0", "gain=2", "scale=1;offset=2", "scale=1/2/3", "scale=0", "scale=-1",
     "scale=1e999", "offset=--1"],
)    # fmt: skip
def test_preprocess_option_nonsense_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="--preprocess"):
        parse_preprocess(text)


@given(
    convention=st.sampled_from(CONVENTIONS),
    dtype=st.sampled_from(["int8", "uint8"]),
    stretch=st.floats(0.99, 1.01),
)
def test_every_convention_is_told_from_its_range(
    convention: tuple[float, float, ImagePreprocess, str], dtype: str, stretch: float
) -> None:
    low, high, preprocess, words = convention
    scale = (high - low) / 255 * stretch
    limits = np.iinfo(dtype)
    end = TensorContract(
        name="x", shape=(1, 8, 8, 1), dtype=dtype, scale=scale, zero_point=round(limits.min - low / scale)
    )
    assert infer_preprocess(end) == (preprocess, words)
    # what is inferred brings pixels onto the whole integer range, give or take the stretch
    encoded = end.quantize(preprocess.apply(np.array([0, 255], np.uint8))).astype(int)
    assert abs(encoded[0] - limits.min) <= 3
    assert abs(encoded[1] - limits.max) <= 3


def test_a_file_of_mlperf_takes_raw_pixels(shared: Path) -> None:
    artefact = resolve(str(shared / "models/ic_resnet8_int8.tflite")).artefacts[0]
    settled, remarks = settle_contract(artefact, tuple("abcdefghij"))
    assert settled.preprocess == ImagePreprocess(scale=1, offset=0)
    assert len(remarks) == 1
    assert "raw pixels" in remarks[0]


def test_what_cannot_be_inferred_is_asked_for(shared: Path) -> None:
    for name, labels, found in (
        ("ic_resnet8_float", "abcdefghij", "float32"),
        ("kws_dscnn_int8", "abcdefghijkl", "-123.4 to 25.73"),
    ):
        artefact = resolve(str(shared / f"models/{name}.tflite")).artefacts[0]
        with pytest.raises(EdgecnnError, match=rf"{found}.*--preprocess scale=1/255,offset=0"):
            settle_contract(artefact, tuple(labels))
        given_by_user = ImagePreprocess(scale=0.5, offset=3)
        settled, remarks = settle_contract(artefact, tuple(labels), given_by_user)
        assert settled.preprocess == given_by_user
        assert "as given" in remarks[0]


def test_an_embedded_contract_goes_before_inference(small: Path) -> None:
    small.write_bytes(embed(small.read_bytes(), METADATA_NAME, contract().to_json().encode()))
    target = resolve(str(small))
    assert (target.name, target.run) == ("small", None)
    assert settle_contract(target.artefacts[0], LABELS) == (contract(), [])


def test_other_classes_are_refused_and_other_names_remarked(small: Path) -> None:
    artefact = ModelFile(small, "tflite", contract(), None)
    with pytest.raises(EdgecnnError, match=r"knows 3 classes, the data has 2 \(cat, dog\).*trained on digits"):
        settle_contract(artefact, LABELS[:2])
    _, remarks = settle_contract(artefact, ("cat", "dog", "fox"))
    assert len(remarks) == 1
    assert "'emu' is 'fox'" in remarks[0]


def test_without_a_contract_the_outputs_must_be_the_classes(small: Path) -> None:
    with pytest.raises(EdgecnnError, match=r"has 3 outputs .* the data has 10 classes"):
        settle_contract(ModelFile(small, "tflite", None, None), tuple("0123456789"))


@given(st.permutations(LABELS), st.lists(st.integers(0, 2), min_size=1, max_size=30))
def test_the_same_names_in_another_order_are_matched_by_name(order: list[str], predicted: list[int]) -> None:
    model = contract(tuple(order))
    outputs = np.eye(len(order), dtype=np.float32)[predicted]
    moved = in_data_order(outputs, model, LABELS)
    assert [LABELS[index] for index in moved.argmax(axis=1)] == [order[index] for index in predicted]


def test_a_probability_turns_where_two_classes_are_exchanged() -> None:
    model = contract(("cat", "dog"))
    outputs = np.array([[0.25], [0.875]], np.float32)
    np.testing.assert_array_equal(in_data_order(outputs, model, ("dog", "cat")), 1 - outputs)


def test_other_names_stay_in_their_order() -> None:
    predicted = np.array([2, 0, 1])
    np.testing.assert_array_equal(in_data_order(predicted, contract(), ("a", "b", "c")), predicted)
