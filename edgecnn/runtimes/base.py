"""The one protocol behind every runtime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from edgecnn.contract import TensorContract


class Session(Protocol):
    """A loaded model, ready for one sample at a time (batch 1, as on a device).

    Attributes:
        input: Name, shape (batch first), dtype, scale and zero point of the network's input.
        output: The same of its output.
        version: The runtime's own version.
    """

    input: TensorContract
    output: TensorContract
    version: str

    def run(self, sample: np.ndarray) -> np.ndarray:
        """One inference.

        Args:
            sample: Of ``input.shape`` and ``input.dtype``, contiguous.

        Returns:
            Of ``output.shape`` and ``output.dtype``; valid until the next call.
        """


class RuntimeModule(Protocol):
    """What each file in this folder provides."""

    def load(self, path: Path, threads: int, variant: str) -> Session:
        """Load a model file.

        Args:
            path: The artefact.
            threads: Threads that one inference may use.
            variant: Which flavour of the runtime, from its line in ``RUNTIMES``.

        Raises:
            MissingDependencyError: The runtime is not installed.
            EdgecnnError: The file is not one that the runtime takes.
        """


@dataclass(frozen=True)
class RuntimeSpec:
    """A line in ``RUNTIMES``.

    Attributes:
        module: Where ``load`` is.
        takes: Suffix of the files it runs.
        title: What it is, in a few words.
        package: Import name that must be there.
        extra: The edgecnn extra that brings it; empty for the base install.
        variant: Passed on to ``load``.
        integer_only: Only int8 artefacts are of interest on it (a slow reference).
    """

    module: str
    takes: str
    title: str
    package: str
    extra: str
    variant: str = ""
    integer_only: bool = False
