"""The one protocol behind every runtime."""

from __future__ import annotations

import math
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast, get_args, runtime_checkable

import numpy as np

from edgecnn.contract import TensorContract
from edgecnn.errors import EdgecnnError
from edgecnn.files import require_file
from edgecnn.results import LayerTime

TFLITE_RUNTIME_SOURCE = "pip install tflite-runtime 'numpy<2'"    # built against NumPy 1, which its metadata omits

ElementType = Literal["float32", "int8", "uint8", "int16", "int32"]


class Session(Protocol):
    """A loaded model, ready for one sample at a time (batch 1, as on a device).

    Attributes:
        input: Name, shape (batch first), dtype, scale and zero point of the network's input.
        output: The same of its output.
        version: The runtime's package and version, such as ``ai-edge-litert 2.3.0``.

    Where a runtime can tell, its session has more: ``arena_bytes`` (what the network's activations take), ``init_ms``
    (what loading took, where ``load`` does more than that) and ``profile`` (``Profiler``).
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


@runtime_checkable
class Profiler(Protocol):
    """A session that can tell what each layer takes."""

    def profile(self, samples: list[np.ndarray], runs: int) -> list[LayerTime]:
        """Run inferences and time their layers.

        Args:
            samples: Each of ``input.shape`` and ``input.dtype``; they are gone through in turn.
            runs: Inferences, at least 1.

        Returns:
            In the order in which layers run; the names are unique. The sum is that of the layers, not of a whole
            inference, which has more in it.

        Raises:
            EdgecnnError: The runtime is another version, and does not tell.
        """


class RuntimeModule(Protocol):
    """What each file in this folder provides."""

    def start(self, threads: int) -> None:
        """Import the runtime, so that the time of ``load`` is that of loading a model and nothing else.

        Raises:
            MissingDependencyError: The runtime is not installed.
        """

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
        alternatives: Import names that serve as well where ``package`` is not there.
        programs: Programs of which one must be there too.
        get: What brings ``package`` where no extra does; empty for LiteRT, which depends on the machine.
    """

    module: str
    takes: str
    title: str
    package: str
    extra: str
    variant: str = ""
    integer_only: bool = False
    alternatives: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    get: str = ""


def check_model_file(path: Path, suffix: str) -> None:
    """Refuse what cannot be a model file before a runtime's native code sees it.

    Raises:
        UsageError: There is no such file.
        EdgecnnError: The file is empty, or of another kind.
    """
    require_file(path)
    if path.suffix.lower() != suffix:
        raise EdgecnnError(f"{path}: this runtime takes {suffix} files, not {path.suffix or 'files without a suffix'}.")
    if path.stat().st_size == 0:
        raise EdgecnnError(f"{path}: the file is empty. Copy or make it again.")


def only_one(path: Path, what: str, found: list[Any]) -> Any:
    """The one input or output of a model.

    Raises:
        EdgecnnError: There are none or several.
    """
    if len(found) != 1:
        raise EdgecnnError(
            f"{path}: the model has {len(found)} {what}s; supported: one. Export a model with a single {what}."
        )
    return found[0]


def tensor_contract(
    path: Path,
    name: str,
    shape: tuple[object, ...],
    dtype: str,
    scale: float | None = None,
    zero_point: int | None = None,
) -> TensorContract:
    """One end of a loaded model, with an open batch dimension taken as 1.

    Raises:
        EdgecnnError: The type is not supported, a dimension other than the batch is open, or the batch is not 1.
    """
    if dtype not in get_args(ElementType):
        raise EdgecnnError(f"{path}: {name!r} is {dtype}; supported: {', '.join(get_args(ElementType))}.")
    fixed = tuple(size if isinstance(size, int) and size > 0 else None for size in shape)
    if fixed and fixed[0] is None:
        fixed = (1, *fixed[1:])
    if any(size is None for size in fixed):
        readable = ", ".join("?" if size is None else str(size) for size in fixed)
        raise EdgecnnError(
            f"{path}: {name!r} has the shape [{readable}]; only the batch may be open. Export it with fixed sizes."
        )
    if fixed and fixed[0] != 1:
        raise EdgecnnError(
            f"{path}: {name!r} has batch {fixed[0]}; supported: 1, a sample at a time as on a device. Export it again."
        )
    sizes = cast("tuple[int, ...]", fixed)
    return TensorContract(name=name, shape=sizes, dtype=cast(ElementType, dtype), scale=scale, zero_point=zero_point)


def layer_times(layers: Sequence[tuple[str, str]], ms: Sequence[float] | np.ndarray) -> list[LayerTime]:
    """A profile with shares, its names made unique: a second ``conv`` becomes ``conv#2``.

    Args:
        layers: Name and operator of each.
        ms: What each takes, not negative.
    """
    total = float(np.sum(ms)) or 1.0
    seen: dict[str, int] = {}
    found = []
    for (name, op), one in zip(layers, ms, strict=True):
        seen[name] = seen.get(name, 0) + 1
        unique = name if seen[name] == 1 else f"{name}#{seen[name]}"
        found.append(LayerTime(name=unique, op=op, ms=float(one), share=float(one) / total))
    return found


def middle_mean(values: np.ndarray) -> np.ndarray:
    """The mean of the middle half of each column, for clocks that count in whole microseconds.

    As the median it leaves out the runs that something interrupted; unlike it, it tells 0.3 from 0.7 microseconds.

    Args:
        values: ``[runs, layers]``.
    """
    ordered = np.sort(values, axis=0)
    cut = len(values) // 4
    result: np.ndarray = ordered[cut : len(values) - cut].mean(axis=0)
    return result


def elements(tensor: TensorContract) -> int:
    """Number of values in one sample of a tensor."""
    return math.prod(tensor.shape)


def litert_source() -> str:
    """What brings a LiteRT interpreter to this machine: a command, or advice where no wheel fits."""
    if platform.machine() not in ("armv6l", "armv7l"):
        return "pip install ai-edge-litert"
    if sys.version_info >= (3, 12):
        return "a 64-bit system, or Python 3.11 with tflite-runtime"
    return TFLITE_RUNTIME_SOURCE
