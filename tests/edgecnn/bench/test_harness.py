"""Measuring for real: a small network in fresh processes, and what happens when one of them does not come back."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.artefacts import KINDS, ModelFile, Target, resolve
from edgecnn.bench.child import latency_inputs
from edgecnn.bench.harness import bench
from edgecnn.bench.host import LocalHost
from edgecnn.bench.interleave import Settings
from edgecnn.bench.messages import Load, Loaded
from edgecnn.bench.parent import Worker
from edgecnn.bench.plan import tflite_precision, without_onnx
from edgecnn.bench.temporary import save_array
from edgecnn.contract import METADATA_NAME, Contract
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.files import sha256_file
from edgecnn.preprocess import ImagePreprocess
from edgecnn.recipe import DataSection
from edgecnn.report.view import memory_line
from edgecnn.results import read_results, write_results
from edgecnn.runtimes import load_session
from edgecnn.tflite_metadata import embed
from tests.firmware_export.int16_network import int16_network
from tests.tflite_builder import pack, small_model

resource = pytest.importorskip("resource")    # not on Windows

LABELS = ("cat", "dog", "emu")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.tflite"
    path.write_bytes(pack(small_model()))
    return path


def loaded(path: Path, runtime: str = "litert") -> Loaded:
    """What a process of its own says of the file; it is gone afterwards."""
    with Worker(LocalHost(), f"{runtime} with {path.name}") as worker:
        return worker.load(Load(runtime=runtime, path=str(path)))


def test_latency_without_data(small: Path, tmp_path: Path) -> None:
    results = bench(resolve(str(small)), ["litert", "litert-ref"], section=None, settings=Settings(30, 3))
    assert [entry.runtime for entry in results.entries] == ["litert", "litert-ref"]
    assert results.data is None
    assert any("random inputs" in note for note in results.notes)
    assert (results.model.name, results.model.parameters, results.model.macs) == ("small", 187, 756)
    for entry in results.entries:
        latencies = np.array(entry.latencies_ms)
        assert (entry.num_runs, len(latencies), sum(entry.blocks), sum(entry.processes)) == (30, 30, 30, 20)
        assert entry.num_warmup >= 3
        assert entry.p50_low_ms <= entry.p50_ms <= entry.p50_high_ms
        assert (latencies > 0).all()
        assert entry.mean_ms == pytest.approx(latencies.mean())
        assert entry.throughput_per_s == pytest.approx(1000 / latencies.mean())
        ordered = [entry.min_ms, entry.p50_ms, entry.p90_ms, entry.p95_ms, entry.p99_ms, entry.max_ms]
        assert ordered == sorted(ordered)
        assert (entry.min_ms, entry.max_ms) == (latencies.min(), latencies.max())
        assert (entry.sha256, entry.size_bytes) == (sha256_file(small), small.stat().st_size)
        assert (entry.precision, entry.threads, entry.accuracy) == ("int8", 1, None)
        assert entry.init_ms > 0
        assert entry.first_ms > 0
    path = tmp_path / "results.json"
    write_results(path, results)
    assert read_results(path) == results


def test_accuracy_is_that_of_the_session_on_the_test_split(small: Path, tmp_path: Path) -> None:
    from PIL import Image

    # The network takes two channels, which no image has: three stand in its file instead.
    model = small_model()
    graph = model.subgraphs[0]
    graph.tensors[0].shape, graph.tensors[1].shape = [1, 6, 6, 3], [4, 3, 3, 3]
    kernel = np.random.default_rng(2).integers(-127, 128, (4, 3, 3, 3), np.int8)
    model.buffers[graph.tensors[1].buffer].data = np.frombuffer(kernel.tobytes(), np.uint8)
    small.write_bytes(pack(model))
    session = load_session("litert", small)
    contract = Contract(
        name="small", labels=LABELS, preprocess=ImagePreprocess(), input=session.input, output=session.output
    )
    small.write_bytes(embed(small.read_bytes(), METADATA_NAME, contract.to_json().encode()))
    generator, images = np.random.default_rng(4), tmp_path / "images"
    right = 0
    for split in ("train", "test"):
        for index, label in enumerate(LABELS):
            (images / split / label).mkdir(parents=True)
            for number in range(10):
                pixels = generator.integers(0, 256, (6, 6, 3), np.uint8)
                Image.fromarray(pixels).save(images / split / label / f"{number}.png")
                said = session.run((pixels[None].astype(int) - 128).astype(np.int8)).argmax()
                right += int(split == "test" and said == index)

    section = DataSection(set="image_folder", path=str(images))
    results = bench(resolve(str(small)), ["litert"], section=section, settings=Settings(5, 0))
    entry = results.entries[0]
    assert (entry.samples, entry.accuracy) == (30, pytest.approx(right / 30))
    assert np.sum(entry.confusion_matrix) == 30
    assert results.data is not None
    assert (results.data.set, results.data.labels, results.data.samples) == ("image_folder", list(LABELS), 30)
    assert entry.agreement_with_float is None

    without = bench(resolve(str(small)), ["litert"], section=section, settings=Settings(5, 0), accuracy=False)
    assert (without.data, without.entries[0].accuracy) == (None, None)
    assert any("test samples of image_folder" in note and "--no-accuracy" in note for note in without.notes)
    limited = bench(resolve(str(small)), ["litert"], section=section, settings=Settings(5, 0), limit=12)
    assert limited.entries[0].samples == 12


def test_float_files_stay_off_the_slow_reference(shared: Path) -> None:
    path = shared / "models/ic_resnet8_float.tflite"
    assert tflite_precision(path) == "float32"
    assert tflite_precision(shared / "models/kws_dscnn_int8.tflite") == "int8"
    with pytest.raises(UsageError, match="none of it runs on litert-ref"):
        bench(Target("r", None, (ModelFile(path, "tflite", None, None),)), ["litert-ref"], section=None)


def test_random_inputs_are_the_same_each_time_and_cover_the_type(small: Path) -> None:
    session = load_session("litert", small)
    first, again = latency_inputs(session, None, None), latency_inputs(session, None, None)
    np.testing.assert_array_equal(first, again)
    assert (np.min(first), np.max(first)) == (-128, 127)
    assert first[0].shape == session.input.shape


def test_the_peak_is_that_of_the_measuring_process_alone(small: Path) -> None:
    held = np.ones(60_000_000)    # 480 MB in this process, which a child's ru_maxrss would begin with
    with Worker(LocalHost(), "litert") as worker:
        base = worker.load(Load(runtime="litert", path=str(small))).base_rss_bytes
        peak = worker.measure(10, 0).peak_rss_bytes
    assert held[-1] == 1
    assert peak is not None
    assert base is not None
    assert 10e6 < base < peak < 300e6


@pytest.fixture
def broken_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts an ``ai_edge_litert`` of the given text before the real one, for child processes only."""

    def put(text: str) -> None:
        package = tmp_path / "broken" / "ai_edge_litert"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "interpreter.py").write_text(text)
        monkeypatch.syspath_prepend(package.parent)

    return put


def test_a_crash_in_native_code_is_one_sentence(small: Path, broken_interpreter: Callable[[str], None]) -> None:
    broken_interpreter("import os\nos.abort()\n")
    with pytest.raises(EdgecnnError, match=r"litert with small\.tflite: the measuring process was ended by SIGABRT"):
        loaded(small)


def test_a_mistake_in_the_worker_gives_its_last_words(small: Path, broken_interpreter: Callable[[str], None]) -> None:
    broken_interpreter("raise ArithmeticError('the moon is full')\n")
    with pytest.raises(EdgecnnError, match=r"ended with code 1 and no answer.*the moon is full"):
        loaded(small)


def test_what_the_runtime_refuses_names_runtime_and_file(small: Path) -> None:
    small.write_bytes(small.read_bytes()[:600])
    with pytest.raises(EdgecnnError, match=r"litert-ref with small\.tflite: .*not a whole TensorFlow Lite file"):
        loaded(small, "litert-ref")


def test_one_failed_measurement_does_not_take_the_others_along(small: Path, tmp_path: Path) -> None:
    broken = tmp_path / "small.onnx"
    broken.write_bytes(b"no model at all")
    session = load_session("litert", small)
    contract = Contract(
        name="small", labels=LABELS, preprocess=ImagePreprocess(), input=session.input, output=session.output
    )
    files = (ModelFile(small, "tflite", None, None), ModelFile(broken, "onnx", contract, None))
    target, failures = Target("small", None, files), list[str]()
    results = bench(target, ["litert", "onnxruntime"], section=None, settings=Settings(5, 0), failed=failures.append)
    assert [entry.runtime for entry in results.entries] == ["litert"]
    assert len(failures) == 1
    assert failures[0].startswith("onnxruntime with small.onnx: ")
    assert any(note.startswith("Not measured: onnxruntime with small.onnx") for note in results.notes)
    with pytest.raises(EdgecnnError, match=r"onnxruntime with small\.onnx"):
        bench(target, ["litert", "onnxruntime"], section=None, settings=Settings(5, 0))


def test_ctrl_c_leaves_no_process_behind(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str]] = []

    def recorded(*arguments: Any, **settings: Any) -> subprocess.Popen[str]:
        started.append(real(*arguments, **settings))
        return started[-1]

    def interrupted(count: int) -> None:
        raise KeyboardInterrupt(count)

    real = subprocess.Popen
    monkeypatch.setattr("edgecnn.bench.host.subprocess.Popen", recorded)
    with pytest.raises(KeyboardInterrupt), Worker(LocalHost(), "litert", interrupted) as worker:
        worker.load(Load(runtime="litert", path=str(small)))
        worker.warm(300_000_000, 1)
    assert [process.returncode for process in started] == [-signal.SIGKILL]    # it has ended and was waited for


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond ``size`` bytes: what a disk does that is nearly full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_no_room_for_temporary_files_is_one_sentence(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(EdgecnnError, match=r"cannot write the temporary file .*gone.*: No such file.*TMPDIR"):
        bench(resolve(str(small)), ["litert"], section=None, settings=Settings(1, 0))
    monkeypatch.undo()
    for size in (200, 10_000):    # less and more than a block
        with largest_file(1000), pytest.raises(EdgecnnError, match=r"temporary file.*(o space left|too large).*TMPDIR"):
            save_array(tmp_path / "samples.npy", np.zeros(size))


def test_no_room_for_the_classes_is_one_sentence_of_the_measuring_process(small: Path, tmp_path: Path) -> None:
    session = load_session("litert", small)
    contract = Contract(
        name="small", labels=LABELS, preprocess=ImagePreprocess(), input=session.input, output=session.output
    )
    np.save(tmp_path / "samples.npy", np.zeros((500, 6, 6, 2), np.uint8))
    request = Load(runtime="litert", path=str(small), contract=contract, samples=str(tmp_path / "samples.npy"))
    words = r"litert with small\.tflite: cannot write the temp"
    with largest_file(3000), Worker(LocalHost(), "litert with small.tflite") as worker:
        worker.load(request)
        with pytest.raises(EdgecnnError, match=words):
            worker.evaluate(tmp_path / "outputs.npy")


def test_each_tflite_without_an_onnx_of_its_own_is_converted() -> None:
    def left(*names: str) -> list[str]:
        files = [ModelFile(Path(name), KINDS[Path(name).suffix], None, None) for name in names]
        return [file.path.name for file in without_onnx(files)]

    run = ("model.keras", "model_float.tflite", "model_int8.tflite")
    assert left(*run) == ["model_float.tflite", "model_int8.tflite"]
    assert left(*run, "model.onnx") == ["model_int8.tflite"]
    assert left(*run, "model_int8.onnx") == ["model_float.tflite"]
    assert left(*run, "model.onnx", "model_int8.onnx") == []
    assert left("a.tflite", "b.onnx") == ["a.tflite"]


def test_a_converter_that_is_missing_is_the_reason(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tensorflow", "tf2onnx"):    # also where it is installed
        monkeypatch.setitem(sys.modules, name, None)
    words = r"onnxruntime with small\.tflite: .*pip install 'edgecnn\[onnx\]'"
    told = list[str]()
    for failed in (told.append, None):
        with pytest.raises(EdgecnnError, match=words):
            bench(resolve(str(small)), ["onnxruntime"], section=None, settings=Settings(1, 0), failed=failed)
    assert told == []
    both = ["litert", "onnxruntime"]
    results = bench(resolve(str(small)), both, section=None, settings=Settings(1, 0), failed=told.append)
    assert [entry.runtime for entry in results.entries] == ["litert"]
    assert len(told) == 1
    assert re.match(words, told[0])
    assert f"Not measured: {told[0]}" in results.notes


def test_modules_beside_the_user_are_not_the_workers(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != ""])
    (tmp_path / "pydantic.py").write_text("raise SystemExit('a file of the user')\n")
    assert loaded(small).first_ms > 0


def test_the_memory_plan_of_an_int16_network(tmp_path: Path) -> None:
    path = tmp_path / "wide.tflite"
    path.write_bytes(int16_network())
    results = bench(resolve(str(path)), ["litert-ref"], section=None, settings=Settings(3, 1))
    assert results.memory is not None and results.memory.arena_bytes > 0
    assert "compiled to C, int16×8: arena" in (memory_line(results) or "")
