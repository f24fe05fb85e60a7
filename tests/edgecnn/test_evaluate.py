"""Outputs from a session, figures from outputs, and the data that they are measured on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.artefacts import ModelFile
from edgecnn.contract import Contract, TensorContract
from edgecnn.errors import EdgecnnError
from edgecnn.evaluate import evaluate_outputs, hits
from edgecnn.evaluation_data import default_section, load_test_data
from edgecnn.predict import check_samples, input_contract, run_outputs
from edgecnn.preprocess import ImagePreprocess
from edgecnn.recipe import DataSection
from edgecnn.runtimes import Session, load_session
from edgecnn.statistics import mean_interval
from tests.tflite_builder import pack, small_model

LABELS = ("cat", "dog", "emu")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    path.write_bytes(pack(small_model()))
    return load_session("litert", path)


def contract_for(session: Session, labels: tuple[str, ...] = LABELS, data_set: str | None = None) -> Contract:
    return Contract(
        name="small",
        labels=labels,
        preprocess=ImagePreprocess(scale=1 / 255),
        input=session.input,
        output=session.output,
        data_set=data_set,
    )


def test_outputs_are_those_of_each_encoded_sample_as_real_values(session: Session) -> None:
    raw = np.random.default_rng(5).integers(0, 256, (600, 6, 6, 2), np.uint8)
    counted: list[int] = []
    outputs = run_outputs(session, contract_for(session), raw, counted.append)
    # with scale 1/255 and zero point -128 the int8 input is the pixel minus 128
    integers = [session.run((sample[None].astype(int) - 128).astype(np.int8))[0] for sample in raw]
    end = session.output
    assert end.scale is not None and end.zero_point is not None
    np.testing.assert_allclose(outputs, (np.array(integers).astype(int) - end.zero_point) * end.scale, rtol=1e-6)
    assert outputs.dtype == np.float32
    assert len(set(outputs.argmax(axis=1))) > 1
    assert sum(counted) == 600


def test_other_samples_and_other_classes_are_refused(session: Session) -> None:
    with pytest.raises(EdgecnnError, match="takes 6×6×2 samples, the data has 28×28×1"):
        run_outputs(session, contract_for(session), np.zeros((4, 28, 28, 1), np.uint8))
    with pytest.raises(EdgecnnError, match=r"has 3 outputs \(1×3\), the data has 2 classes"):
        run_outputs(session, contract_for(session, LABELS[:2]), np.zeros((4, 6, 6, 2), np.uint8))
    binary = contract_for(session, LABELS[:2]).model_copy(update={"task": "binary"})
    with pytest.raises(EdgecnnError, match="binary needs 1"):
        run_outputs(session, binary, np.zeros((4, 6, 6, 2), np.uint8))


@pytest.mark.parametrize("sample", [(8, 8), (8, 8, 1), (1, 8, 8)])
@pytest.mark.parametrize("model", [(1, 8, 8), (1, 8, 8, 1)])
def test_a_channel_of_one_may_be_there_or_not(sample: tuple[int, ...], model: tuple[int, ...]) -> None:
    check_samples("m", TensorContract(name="x", shape=model, dtype="float32"), sample)


def test_an_integer_input_without_scale_takes_that_of_the_contract(session: Session) -> None:
    contract = contract_for(session)

    class Bare:
        input = session.input.model_copy(update={"scale": None, "zero_point": None})
        output = session.output
        version = "none"

        def run(self, sample: np.ndarray) -> np.ndarray:
            return session.run(sample)

    assert input_contract(Bare(), contract) == session.input
    floating = contract.model_copy(update={"input": TensorContract(name="x", shape=(1, 6, 6, 2), dtype="float32")})
    with pytest.raises(EdgecnnError, match="int8 without scale and zero point"):
        input_contract(Bare(), floating)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=100))
def test_the_figures_agree_with_each_other(samples: list[tuple[int, int]]) -> None:
    truth, predicted = (np.array(column) for column in zip(*samples, strict=True))
    found = evaluate_outputs("classification", truth, np.eye(3)[predicted], LABELS)
    assert found.samples == len(samples) == np.sum(found.confusion_matrix)
    assert found.correct == (truth == predicted).sum() == np.trace(found.confusion_matrix)
    assert found.accuracy == found.correct / found.samples
    assert found.accuracy_low <= found.accuracy <= found.accuracy_high
    assert [one.label for one in found.per_class] == list(LABELS)
    assert sum(one.support for one in found.per_class) == found.samples
    scores = [one.f1 for one in found.per_class if one.f1 is not None]
    assert found.macro_f1 == pytest.approx(np.mean(scores))
    assert found.auc is None and found.mean_iou is None


@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from((0.0, 0.2, 0.5, 0.7, 1.0))), min_size=1, max_size=60))
def test_a_binary_model_has_the_area_under_its_curve(samples: list[tuple[int, float]]) -> None:
    truth, scores = (np.array(column) for column in zip(*samples, strict=True))
    found = evaluate_outputs("binary", truth, scores[:, None], LABELS[:2])
    assert found.accuracy == np.mean((scores >= 0.5) == truth)
    above, below = scores[truth == 1], scores[truth == 0]
    pairs = [(one > other) + (one == other) / 2 for one in above for other in below]
    assert found.auc == (pytest.approx(np.mean(pairs)) if pairs else None)


def test_a_segmentation_counts_pixels_and_its_interval_images() -> None:
    truth = np.array([[[0, 0], [1, 1]], [[0, 1], [1, 1]], [[0, 0], [0, 0]]])
    probability = np.array([[[0.1, 0.9], [0.9, 0.9]], [[0.1, 0.8], [0.5, 0.3]], [[0.2, 0.2], [0.2, 0.2]]])
    found = evaluate_outputs("segmentation", truth, probability[..., None], ("cell", "membrane"))
    assert found.confusion_matrix == [[6, 1], [1, 4]]
    assert (found.samples, found.correct) == (3, 10)
    assert found.accuracy == pytest.approx(10 / 12)
    shares = hits(truth, (probability >= 0.5).astype(int))
    assert shares.tolist() == [0.75, 0.75, 1.0]
    interval = mean_interval(shares)
    assert (found.accuracy_low, found.accuracy_high) == (interval.low, interval.high)
    assert [one.iou for one in found.per_class] == [pytest.approx(6 / 8), pytest.approx(4 / 6)]
    assert found.mean_iou == pytest.approx((6 / 8 + 4 / 6) / 2)
    assert found.macro_f1 == pytest.approx((12 / 14 + 8 / 10) / 2)
    assert found.auc is None
    both = np.stack([1 - probability, probability], axis=-1)
    both[1, 1, 0] = (0.4, 0.6)    # a tie would fall for the first class
    again = evaluate_outputs("segmentation", truth, both, ("cell", "membrane"))
    assert again.confusion_matrix == found.confusion_matrix


def test_no_samples_no_figures() -> None:
    with pytest.raises(EdgecnnError, match="no samples to evaluate on"):
        evaluate_outputs("classification", np.array([], int), np.empty((0, 3)), LABELS)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    from PIL import Image

    for split, count in (("train", 3), ("test", 8)):
        for label in LABELS:
            folder = tmp_path / "photos" / split / label
            folder.mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (20, 16), (number * 20, 100, 200)).save(folder / f"{number}.png")
    return tmp_path / "photos"


def test_images_of_a_folder_come_in_the_size_of_the_model(photos: Path) -> None:
    section = DataSection(set="image_folder", path=str(photos))
    colour = TensorContract(name="x", shape=(1, 12, 10, 3), dtype="float32")
    grey = TensorContract(name="x", shape=(1, 9, 9, 1), dtype="float32")
    assert load_test_data(section, colour).samples.x.shape == (24, 12, 10, 3)
    assert load_test_data(section, grey).samples.x.shape == (24, 9, 9, 1)
    asked = section.model_copy(update={"size": (5, 5)})
    with pytest.raises(EdgecnnError, match="takes 12×10×3 samples, the data has 5×5×3"):
        load_test_data(asked, colour)


def test_a_limit_is_stratified_and_the_same_each_time(photos: Path) -> None:
    section = DataSection(set="image_folder", path=str(photos))
    end = TensorContract(name="x", shape=(1, 12, 10, 3), dtype="float32")
    once, again = load_test_data(section, end, 9), load_test_data(section, end, 9)
    assert np.bincount(once.samples.y).tolist() == [3, 3, 3]
    np.testing.assert_array_equal(once.samples.x, again.samples.x)
    assert once.record.samples == 9
    assert once.record.labels == list(LABELS)
    assert once.record.sha256


@pytest.mark.parametrize(("data_set", "expected"), [("digits", "digits"), (None, None), ("image_folder", None)])
def test_the_data_that_a_contract_names(session: Session, data_set: str | None, expected: str | None) -> None:
    section = default_section(ModelFile(Path("m.tflite"), "tflite", contract_for(session, data_set=data_set), None))
    assert (section.set if section else None) == expected
