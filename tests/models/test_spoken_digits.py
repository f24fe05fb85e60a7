"""Spoken digits: the spectrogram network, trained for real for a moment, and what both networks are built for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn.contract import TensorContract
from edgecnn.errors import UsageError
from edgecnn.evaluation_data import load_test_data
from edgecnn.preprocess import AudioPreprocess, SpectrogramPreprocess
from edgecnn.recipe import DataSection
from edgecnn.runs import Run
from tests.edgecnn.data.wav_files import tone, wav

Here = Callable[..., tuple[int, str, str]]


@pytest.mark.slow
def test_it_learns_digits_from_recordings(
    shared: Path, cli_here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    monkeypatch.setenv("EDGECNN_DATA", str(shared / "data"))
    # Small batches: the averages of batch normalization need a few hundred steps.
    short = ["--limit", "800", "--epochs", "6", "--set", "train.batch=8"]
    code, _, said = cli_here("train", "spoken_digits_spectrogram", *short, "--out", "run")
    assert code == 0, said
    info = Run(tmp_path / "run").info
    preprocess = info.preprocessing
    assert isinstance(preprocess, SpectrogramPreprocess)
    assert preprocess.samples == 8000
    assert preprocess.mean is not None and -40 < preprocess.mean < -10    # dB below the clip
    assert info.evaluation is not None
    assert info.evaluation.samples == 300
    assert info.evaluation.accuracy > 0.4    # chance is 0.1


@pytest.mark.slow
def test_both_networks_follow_the_data_and_take_what_they_say() -> None:
    pytest.importorskip("keras", reason="Keras is not installed")
    from edgecnn.zoo import build_model, find_model

    for name, shape, larger in (
        ("spoken_digits_wave", (8000, 1), (16000, 1)),
        ("spoken_digits_spectrogram", (39, 32, 1), (99, 64, 1)),
    ):
        model = find_model(name)
        section = model.recipe().model
        built = build_model(model.source, section, shape, 10)
        text = model.source.read_text(encoding="utf-8")
        assert f"{built.count_params():,} parameters for ten classes" in text
        words = build_model(model.source, section, larger, 3)
        assert words.output_shape == (None, 3)
        assert words.count_params() == built.count_params() - 7 * (64 + 1)


def make_words(folder: Path, rate: int) -> None:
    for word, hertz in (("go", 300.0), ("stop", 900.0)):
        (folder / word).mkdir(parents=True)
        for number in range(5):
            (folder / word / f"{number}.wav").write_bytes(wav(tone(rate, hertz=hertz + 10 * number), rate))


def test_a_recording_of_another_rate_is_told(cli_here: Here, tmp_path: Path) -> None:
    make_words(tmp_path / "words", rate=16000)
    (tmp_path / "words/stop/3.wav").write_bytes(wav(rate=44100))
    code, _, said = cli_here("data", "audio_folder:words")
    assert code == 1
    said = " ".join(said.split())
    assert "stop/3.wav: 44100 Hz, but 9 of 10 recordings have 16000 Hz" in said
    assert "--set data.rate=16000" in said


def test_the_microphones_rate_and_that_of_the_recordings_must_agree(cli_here: Here, tmp_path: Path) -> None:
    make_words(tmp_path / "words", rate=16000)
    words = ["--set", "data.set=audio_folder", "--set", "data.path=words"]
    code, _, said = cli_here("train", "spoken_digits_wave", *words, "--out", "run")
    assert code == 2
    said = " ".join(said.split())
    assert "the recordings have 16000 Hz, preprocess.rate is 8000 Hz" in said
    assert "--set data.rate=8000" in said
    assert "--set preprocess.rate=16000" in said
    assert not (tmp_path / "run").exists()


def test_recordings_are_brought_to_the_models_rate_and_length(tmp_path: Path) -> None:
    make_words(tmp_path / "words", rate=16000)
    preprocess = AudioPreprocess(rate=8000, samples=1000)
    end = TensorContract(name="x", shape=(1, 1000, 1), dtype="int8", scale=0.01, zero_point=0)
    section = DataSection(set="audio_folder", path=str(tmp_path / "words"))
    assert load_test_data(section, end, preprocess=preprocess).samples.x.shape == (2, 1000, 1)
    with pytest.raises(UsageError, match="have 16000 Hz"):
        load_test_data(section.model_copy(update={"rate": 16000}), end, preprocess=preprocess)
