"""What a bundle is made of, and the names of its files: known on both sides."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION: Final = 1
MODEL = "model.tflite"
CONTRACT = "contract.json"
LABELS = "labels.txt"
SELF_TEST = "self_test.npz"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(_Record):
    """A file of the bundle.

    Attributes:
        path: Its name: in the version's folder, or of the archive.
        sha256: Of its content, which is also its name on the way.
        bytes: Its size.
        unpacked: Bytes that an archive takes unpacked; 0 for other files.
    """

    path: str
    sha256: str
    bytes: int
    unpacked: int = 0


class Manifest(_Record):
    """A bundle. The same content gives the same manifest, and so the same version on every machine of a kind.

    Attributes:
        edgecnn: Version that made it.
        model: The model's name; empty for a harness.
        runtime: On which it is served; empty for a harness.
        stored_version: Package and version that gave the stored predictions.
        samples_from: Where the samples of the self-test come from.
        architecture: Of the machine, in the words of wheels.
        python: Of the machine, such as ``3.11``.
        files: Of the version's folder.
        code: edgecnn itself, zipped.
        wheels: The packages that it needs.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    edgecnn: str
    model: str = ""
    runtime: str = ""
    stored_version: str = ""
    samples_from: str = ""
    architecture: str
    python: str
    files: tuple[Entry, ...] = ()
    code: Entry
    wheels: tuple[Entry, ...]
