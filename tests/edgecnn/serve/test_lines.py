"""Standard input: each line is answered, what it answers is what is measured elsewhere, and nothing ends it."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from edgecnn.tasks import decide
from tests.edgecnn.serve.serving import DIGITS, digits, labels_and_scores, model_file, outputs_of, serving
from tests.support import Cli, child_environment


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def answers(folder: Path, model: Path | str, requests: list[object], *options: str) -> list[dict[str, object]]:
    """All answers to requests that are sent at once."""
    text = "".join(f"{request if isinstance(request, str) else json.dumps(request)}\n" for request in requests)
    done = subprocess.run(
        [sys.executable, "-m", "edgecnn", "serve", str(model), *options],
        cwd=folder, env=child_environment(folder), input=text.encode(), capture_output=True, timeout=120,
    )    # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_predictions_are_those_of_evaluate(tmp_path: Path) -> None:
    """However a sample is sent: as a file, as a file's bytes, as numbers."""
    raw = digits(30)
    requests: list[object] = []
    for number, sample in enumerate(raw):
        np.save(tmp_path / f"{number}.npy", sample)
        requests.append({"id": number, "image": f"{number}.npy"})
        requests.append({"id": number, "data": base64.b64encode(npy(sample)).decode()})
        requests.append({"id": number, "data": sample[:, :, 0].tolist()})
    found = answers(tmp_path, DIGITS, requests)
    expected = [(number, *pair) for number, pair in enumerate(labels_and_scores(DIGITS, raw)) for _ in range(3)]
    assert [(one["id"], one["label"], one["score"]) for one in found] == expected
    for one in found:
        assert one["top"][0] == {"label": one["label"], "score": one["score"]}    # type: ignore[index]
        assert len(one["top"]) == 3    # type: ignore[arg-type]
        assert one["ms"] > 0    # type: ignore[operator]


BAD = [
    ("no JSON at all", "not JSON"),
    ("[1, 2]", "a JSON object"),
    ("{}", "found: nothing"),
    ("[" * 100_000, "not JSON"),
    ({"pixels": []}, "found: pixels"),
    ({"data": [[1, 2], [3]]}, "not all of one length"),
    ({"data": [[1, 2], [3, 4]]}, "2×2"),
    ({"data": [[0.5] * 8] * 8}, "float64"),
    ({"data": [[256] * 8] * 8}, "256 to 256"),
    ({"data": [["a"] * 8] * 8}, "<U1"),
    ({"data": "%%%"}, "not base64"),
    ({"data": ""}, "empty"),
    ({"data": 7}, "nested list"),
    ({"data": base64.b64encode(b"\x93NUMPY\x01\x00").decode()}, "not a whole .npy"),
    ({"data": base64.b64encode(b"\x89PNG\r\n\x1a\nnothing more").decode()}, "not an image"),
    ({"image": "nothing.png"}, "no such file"),
    ({"image": "."}, "is a folder"),
    ({"image": "a\0b"}, "no such file"),
    ({"image": 3}, "expected is a string"),
    ({"text": "seven"}, "expected is a picture"),
]


def test_a_bad_line_is_answered_and_the_next_one_too(tmp_path: Path) -> None:
    good = digits(1)[0, :, :, 0].tolist()
    requests: list[object] = [part for line, _ in BAD for part in (line, {"id": "next", "data": good})]
    found = answers(tmp_path, DIGITS, requests)
    assert len(found) == len(requests)
    for number, (line, message) in enumerate(BAD):
        bad, after = found[2 * number : 2 * number + 2]
        assert message in str(bad["error"]), line
        assert bad["id"] == 2 * number + 1    # the line's number, where there is no id
        assert after["id"] == "next" and "label" in after


def test_a_line_that_is_too_long_is_refused_and_the_next_one_read(tmp_path: Path) -> None:
    good = {"id": 1, "data": digits(1)[0, :, :, 0].tolist()}
    (tmp_path / "large.npy").write_bytes(bytes(1000))
    found = answers(tmp_path, DIGITS, ["x" * 100_000, good, {"image": "large.npy"}], "--max-bytes", "999")
    assert "more than 2522 bytes" in str(found[0]["error"])
    assert "label" in found[1]
    assert "more than 999 bytes" in str(found[2]["error"])


def test_ids_come_back_as_they_were_sent(tmp_path: Path) -> None:
    ids = ["a", 0, None, {"x": [1]}, "\ud800", "Käse"]
    found = answers(tmp_path, DIGITS, [{"id": one, "text": ""} for one in ids])
    assert [one["id"] for one in found] == ids


def test_sigterm_ends_it_cleanly_also_while_it_waits(tmp_path: Path) -> None:
    with serving(tmp_path, DIGITS) as served:
        assert "label" in served.ask({"data": digits(1)[0].tolist()})
        assert served.end() == 0


def test_an_answer_comes_before_the_next_question(tmp_path: Path) -> None:
    with serving(tmp_path, DIGITS, "--runtime", "litert-ref", "--top", "1") as served:
        for number, sample in enumerate(digits(3)):
            found = served.ask({"id": number, "data": sample.tolist()})
            assert found["id"] == number and len(found["top"]) == 1


def test_texts(tmp_path: Path) -> None:
    model = model_file("spam_text_cnn")
    texts = ["WINNER! Claim your free prize now, call 09061701461", "see you at home later, ok?"]
    (tmp_path / "mail.txt").write_text(texts[0], encoding="utf-8")
    found = answers(tmp_path, model, [*({"text": text} for text in texts), {"file": "mail.txt"}, {"text": " "}])
    second = outputs_of(model, np.array(texts)).reshape(-1)
    wanted = decide("binary", second)
    for one, probability, decision in zip(found, second, wanted, strict=False):
        assert one["label"] == ("ham", "spam")[decision]
        assert one["score"] == pytest.approx(probability if decision else 1 - probability, abs=1e-6)
        assert sum(entry["score"] for entry in one["top"]) == pytest.approx(1, abs=1e-5)    # type: ignore[union-attr]
    assert found[2]["label"] == found[0]["label"]
    assert "empty" in str(found[3]["error"])


def test_recordings_of_another_rate_and_length(tmp_path: Path) -> None:
    from edgecnn.data._clips import Form, read_clips
    from edgecnn.data._source import open_source

    for rate, seconds in ((8000, 1.0), (16000, 0.4), (44100, 1.7)):
        tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate)
        with wave.open(str(tmp_path / f"{rate}.wav"), "wb") as file:
            file.setparams((1, 2, rate, 0, "NONE", ""))
            file.writeframes(tone.astype("<i2").tobytes())
    (tmp_path / "cut.wav").write_bytes((tmp_path / "8000.wav").read_bytes()[:500])
    source = open_source(tmp_path, (".wav",), "")
    keys = ["16000.wav", "44100.wav", "8000.wav"]
    clips = read_clips(source, keys, Form(8000, 8000))
    for name in ("spoken_digits_wave", "spoken_digits_spectrogram"):
        found = answers(tmp_path, model_file(name), [{"audio": key} for key in [*keys, "cut.wav"]])
        expected = labels_and_scores(model_file(name), clips)
        assert [(one["label"], one["score"]) for one in found[:3]] == expected
        assert "truncated" in str(found[3]["error"])


def test_signals(tmp_path: Path) -> None:
    model = model_file("har_watch")
    window = np.random.default_rng(0).normal(size=(1, 200, 6)).astype(np.float32)
    np.save(tmp_path / "w.npy", window[0])
    np.savetxt(tmp_path / "w.csv", window[0].astype(np.float64), delimiter=",", fmt="%.17g")
    bad = window[0].astype(float).tolist()
    bad[3][2] = float("nan")
    requests: list[object] = [{"file": "w.npy"}, {"file": "w.csv"}, {"data": window[0].tolist()}, {"data": bad}]
    found = answers(tmp_path, model, requests)
    assert [(one["label"], one["score"]) for one in found[:3]] == labels_and_scores(model, window) * 3
    assert "finite" in str(found[3]["error"])


def test_maps_come_as_arrays(tmp_path: Path) -> None:
    """Segmentation gives the class of each pixel, a filter its output."""
    raw = np.random.default_rng(0).integers(0, 256, (1, 128, 128, 1), np.uint8)
    np.save(tmp_path / "x.npy", raw[0])
    (found,) = answers(tmp_path, model_file("unet"), [{"image": "x.npy"}])
    mask = np.load(io.BytesIO(base64.b64decode(str(found["array"]))))
    wanted = decide("segmentation", outputs_of(model_file("unet"), raw))[0]
    np.testing.assert_array_equal(mask, wanted)
    assert found["score"] == pytest.approx(max(wanted.mean(), 1 - wanted.mean()), abs=1e-6)

    raw = raw[:, :28, :28]
    np.save(tmp_path / "x.npy", raw[0])
    (found,) = answers(tmp_path, model_file("filters"), [{"image": "x.npy"}])
    output = np.load(io.BytesIO(base64.b64decode(str(found["array"]))))
    np.testing.assert_array_equal(output, outputs_of(model_file("filters"), raw)[0])
    assert found["label"] is None and found["top"] == []


def test_what_a_model_may_be(tmp_path: Path, cli: Cli) -> None:
    """A file, a name of the zoo, a folder with a file, one with ``model/`` in it; others with a sentence."""
    good = {"data": digits(1)[0].tolist()}
    (tmp_path / "version" / "model").mkdir(parents=True)
    (tmp_path / "version" / "model" / "net.tflite").write_bytes(DIGITS.read_bytes())
    labels = {str(answers(tmp_path, model, [good])[0]["label"]) for model in (DIGITS, "digits_tiny", "version")}
    assert len(labels) == 1
    (tmp_path / "empty").mkdir()
    (tmp_path / "two").mkdir()
    for name in ("a.tflite", "b.tflite"):
        (tmp_path / "two" / name).write_bytes(DIGITS.read_bytes())
    assert "no .tflite file" in cli("serve", "empty", code=2).stderr
    assert "several .tflite files (a.tflite, b.tflite)" in cli("serve", "two", code=2).stderr


MISTAKES = [
    (["nothing.tflite"], 2, "no such file"),
    (["digits_tinny"], 2, "digits_tiny"),
    (["digits_tiny", "--runtime", "litrt"], 2, "Did you mean 'litert'"),
    (["digits_tiny", "--runtime", "keras"], 2, "serves no .tflite"),
    (["digits_tiny", "--stdin", "--http", "0"], 2, "exclude each other"),
    (["digits_tiny", "--watch", "nowhere"], 2, "no such folder"),
    (["digits_tiny", "--done", "x"], 2, "--done goes with --watch"),
    (["digits_tiny", "--http", "0", "--fps", "3"], 2, "--fps goes with --camera"),
    (["digits_tiny", "--http", "many"], 2, "[HOST:]PORT"),
    (["digits_tiny", "--http", ":80"], 2, "[HOST:]PORT"),
    (["digits_tiny", "--http", "70000"], 2, "65535"),
    (["digits_tiny", "--http", "no.such.host.invalid:80"], 2, "no such host"),
    (["digits_tiny", "--self-test", "nothing.npz"], 2, "no such file"),
    (["spam_text_cnn", "--camera"], 1, "takes no pictures"),
    (["moving_fashion_3d", "--camera"], 1, "takes no pictures"),
]


@pytest.mark.parametrize(("arguments", "code", "expected"), MISTAKES, ids=[" ".join(row[0]) for row in MISTAKES])
def test_a_mistake_in_words(
    cli_here: object, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, expected: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    found, printed, said = cli_here("serve", *arguments)    # type: ignore[operator]
    assert (found, printed) == (code, "")
    assert expected in " ".join(said.split())


def test_a_model_without_a_contract(tmp_path: Path, cli: Cli) -> None:
    from tests.tflite_builder import pack, small_model

    (tmp_path / "foreign.tflite").write_bytes(pack(small_model()))
    assert "has no contract" in cli("serve", "foreign.tflite", code=1).stderr
