"""A version's self-test, run on the machine that it was installed on, before it is switched to."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from edgecnn.errors import EdgecnnError
from edgecnn.remote.manifest import MODEL, SELF_TEST, Manifest
from edgecnn.remote.on_device import MARK
from edgecnn.serve.self_test import REFERENCE, SelfTest


def main(folder: str) -> None:
    """Test the version in a folder and print what was found as one line; see ``on_device``."""
    try:
        message = test_version(Path(folder))
    except EdgecnnError as error:
        message = {"error": str(error)}
    print(MARK + json.dumps(message), flush=True)
    os._exit(0)    # nothing that a native library does on its way out may change the verdict


def test_version(folder: Path) -> dict[str, Any]:
    """Hold the model against its stored predictions, on the runtime that it is served on and on the reference.

    The reference must give the same bytes where it is of the package and version that gave the stored ones; another
    one (tflite-runtime on 32-bit Arm) must decide alike, as the served runtime must.

    Args:
        folder: Of the version.

    Returns:
        Samples, and for each runtime its version, identical outputs and equal decisions.

    Raises:
        EdgecnnError: Something differs that must not, or nothing can be run.
    """
    manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    served, version = _run(folder, manifest.runtime)
    found = {manifest.runtime: _entry(served, version)}
    _require(served, manifest.runtime, exact=served.exact and version == manifest.stored_version)
    if served.stored_by == REFERENCE and manifest.runtime != REFERENCE:
        reference, version = _run(folder, REFERENCE)
        found[REFERENCE] = _entry(reference, version)
        _require(reference, REFERENCE, exact=version == manifest.stored_version)
    return {"samples": served.samples, "stored_by": manifest.stored_version, "runtimes": found}


def _run(folder: Path, runtime: str) -> tuple[SelfTest, str]:
    from edgecnn.serve.model import load_model
    from edgecnn.serve.self_test import run_self_test

    model = load_model(str(folder / MODEL), runtime, 1, 1)
    return run_self_test(model.predictor, runtime, folder / SELF_TEST), model.predictor.session.version


def _entry(test: SelfTest, version: str) -> dict[str, Any]:
    return {"version": version, "identical": test.identical, "agreeing": test.agreeing}


def _require(test: SelfTest, runtime: str, exact: bool) -> None:
    """Refuse what differs.

    Raises:
        EdgecnnError: As the message says.
    """
    good, how = (test.identical, "the same bytes as") if exact else (test.agreeing, "the class of")
    if good < test.samples:
        raise EdgecnnError(
            f"{runtime} gives {how} the stored prediction for {good} of {test.samples} samples. The model, its "
            "packages or this machine are not what they should be."
        )
