"""A bundle: a model with everything that a machine needs to answer with it, by content."""

from __future__ import annotations

import functools
import io
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import edgecnn
import firmware_export
from edgecnn import __version__
from edgecnn.artefacts import resolve
from edgecnn.contract import Contract
from edgecnn.errors import EdgecnnError
from edgecnn.evaluation_data import default_section, load_test_data
from edgecnn.files import readable_os_errors, sha256_bytes, sha256_file
from edgecnn.preprocess import ImagePreprocess
from edgecnn.remote.facts import Facts
from edgecnn.remote.manifest import CONTRACT, LABELS, MODEL, SELF_TEST, Entry, Manifest
from edgecnn.runtimes import load_session
from edgecnn.runtimes.base import Session
from edgecnn.serve.model import find_model
from edgecnn.serve.predictor import Predictor
from edgecnn.serve.self_test import REFERENCE, decisive, own_outputs, write_self_test

_SAMPLES = 10
_LOOKED_AT = 100    # test samples, of which the decisive ones are taken
_EPOCH = (1980, 1, 1, 0, 0, 0)    # of a zip's files: the same code gives the same bytes


@dataclass(frozen=True)
class Bundle:
    """What is sent.

    Attributes:
        manifest: What it is made of.
        blobs: Content by its sha256: bytes, or a file that holds them.
        remarks: What the user should know about how it came about.
    """

    manifest: Manifest
    blobs: dict[str, bytes | Path]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Payload:
    """What of a bundle is the same for every machine: made once for a fleet.

    Attributes:
        model: Its name.
        runtime: On which it will be served.
        stored_version: Package and version that gave the stored predictions.
        samples_from: Where the samples of the self-test come from.
        files: By name in the version's folder.
        remarks: What the user should know.
    """

    model: str
    runtime: str
    stored_version: str
    samples_from: str
    files: dict[str, bytes]
    remarks: tuple[str, ...]


def make_payload(reference: str, runtime: str) -> Payload:
    """The model, its contract and labels, and a self-test with the predictions of this machine.

    Args:
        reference: A run, a model's name, or a ``.tflite`` file.
        runtime: ``litert`` or ``litert-ref``.

    Raises:
        UsageError: There is no such model.
        EdgecnnError: It has no contract, or is damaged.
    """
    path, contract = find_model(reference)
    with readable_os_errors(path, "read"):
        model = path.read_bytes()
    stored_by = REFERENCE if contract.input.dtype != "float32" else runtime
    session = load_session(stored_by, path)
    predictor = Predictor(session, contract, 1)
    samples, source, remarks = _samples(path, contract, session)
    outputs = own_outputs(predictor, samples)
    clear = np.flatnonzero(decisive(contract, outputs))[:_SAMPLES]
    chosen = clear if len(clear) else np.arange(min(_SAMPLES, len(samples)))
    files = {
        MODEL: model,
        CONTRACT: contract.to_json().encode(),
        LABELS: "".join(f"{label}\n" for label in contract.labels).encode(),
        SELF_TEST: _self_test(samples[chosen], outputs[chosen], stored_by),
    }
    return Payload(contract.name, runtime, session.version, source, files, remarks)


def _self_test(samples: np.ndarray, outputs: np.ndarray, stored_by: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / SELF_TEST
        write_self_test(path, samples, outputs, stored_by)
        return path.read_bytes()


def _samples(path: Path, contract: Contract, session: Session) -> tuple[np.ndarray, str, tuple[str, ...]]:
    """Raw samples, where they are from, and remarks: of the model's test split, or random pixels without its data."""
    try:
        (artefact,) = resolve(str(path)).artefacts
        if (section := default_section(artefact)) is not None:
            data = load_test_data(section, session.input, _LOOKED_AT, contract.preprocess)
            return data.samples.x, f"test split of {data.record.set}", ()
        why = "the model does not say which data it was trained on"
    except EdgecnnError as error:
        why = str(error)
    if not isinstance(contract.preprocess, ImagePreprocess):
        raise EdgecnnError(f"{path}: the self-test needs some of its test samples, and there are none: {why}")
    random = np.random.default_rng(0).integers(0, 256, (_SAMPLES, *session.input.shape[1:]), np.uint8)
    return random, "random pixels", (f"The self-test compares random pixels, no test samples: {why}",)


def make_bundle(payload: Payload, facts: Facts, wheels: Sequence[Path]) -> Bundle:
    """A deployment for one machine.

    Args:
        payload: See ``make_payload``.
        facts: Of the machine.
        wheels: For the machine, from ``edgecnn.remote.wheels``.
    """
    manifest, blobs = _base(facts, wheels)
    blobs |= {sha256_bytes(data): data for data in payload.files.values()}
    files = tuple(_entry(name, data) for name, data in payload.files.items())
    update = {
        "model": payload.model,
        "runtime": payload.runtime,
        "stored_version": payload.stored_version,
        "samples_from": payload.samples_from,
        "files": files,
    }
    return Bundle(manifest.model_copy(update=update), blobs, payload.remarks)


def make_harness(facts: Facts, wheels: Sequence[Path]) -> Bundle:
    """edgecnn alone, for measuring there; see ``make_bundle``."""
    manifest, blobs = _base(facts, wheels)
    return Bundle(manifest, blobs)


def _base(facts: Facts, wheels: Sequence[Path]) -> tuple[Manifest, dict[str, bytes | Path]]:
    code = package_zip()
    name = f"edgecnn-{__version__}.zip"
    entries = [_wheel_entry(path) for path in sorted(wheels)]
    blobs: dict[str, bytes | Path] = {sha256_bytes(code): code}
    blobs |= {entry.sha256: path for entry, path in zip(entries, sorted(wheels), strict=True)}
    manifest = Manifest(
        edgecnn=__version__,
        architecture=facts.architecture,
        python=".".join(map(str, facts.python_minor)),
        code=_entry(name, code, _unpacked(io.BytesIO(code))),
        wheels=tuple(entries),
    )
    return manifest, blobs


def _entry(name: str, data: bytes, unpacked: int = 0) -> Entry:
    return Entry(path=name, sha256=sha256_bytes(data), bytes=len(data), unpacked=unpacked)


def _wheel_entry(path: Path) -> Entry:
    with readable_os_errors(path, "read"):
        return Entry(
            path=path.name, sha256=sha256_file(path), bytes=path.stat().st_size, unpacked=_unpacked(path)
        )


def _unpacked(archive: Path | io.BytesIO) -> int:
    """Bytes of all files, each rounded up to a block of the disk."""
    with zipfile.ZipFile(archive) as source:
        return sum(-(-entry.file_size // 4096) * 4096 for entry in source.infolist())


@functools.cache
def package_zip() -> bytes:
    """The Python files of edgecnn as it runs here; the same files give the same bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for package in (edgecnn, firmware_export):
            folder = Path(str(package.__file__)).parent
            for path in sorted(folder.rglob("*.py")):
                if path.is_relative_to(folder / "models"):    # the zoo: what is deployed is a trained file
                    continue
                name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
                info = zipfile.ZipInfo(name, _EPOCH)
                info.external_attr = 0o644 << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, path.read_bytes())
    return stream.getvalue()
