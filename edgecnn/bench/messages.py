"""What goes between ``edgecnn bench`` and a measuring process: one JSON document a line.

A request names itself in ``do``. The process answers each with ``{"done": n}`` now and then while it works, where n
counts the runs and samples so far, and at last with ``{"answer": …}`` or ``{"error": "…"}``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from edgecnn.contract import Contract
from edgecnn.results import DeviceRecord, LayerTime


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Describe(_Message):
    """Which machine is this, how is it doing, and what runs on it?"""

    do: Literal["describe"] = "describe"


class Described(_Message):
    """The answer to ``Describe``."""

    device: DeviceRecord = Field(description="With what holds now as ``…_before``.")
    runtimes: list[str] = Field(description="Names of those that are installed.")


class Load(_Message):
    """Load a model; the first request to a process that measures, and the only one of its kind."""

    do: Literal["load"] = "load"
    runtime: str
    path: str
    threads: int = 1
    pin: int | None = Field(default=None, description="Processor that the process is to stay on.")
    contract: Contract | None = None
    samples: str | None = Field(default=None, description=".npy of raw samples [N, ...]; None: random inputs.")


class Loaded(_Message):
    """The answer to ``Load``."""

    runtime_version: str
    init_ms: float
    first_ms: float
    base_rss_bytes: int | None = Field(description="Python, NumPy and edgecnn, before the runtime was imported.")
    arena_bytes: int | None
    profiles: bool = Field(description="Whether the runtime can tell what each layer takes.")


class Warm(_Message):
    """Run until latency is steady."""

    do: Literal["warm"] = "warm"
    at_least: int = Field(description="Runs.")
    seconds: float = Field(description="After which it is given up, the runs of ``at_least`` done.")


class Warmed(_Message):
    """The answer to ``Warm``."""

    runs: int
    steady: bool


class Measure(_Message):
    """One turn: a lead-in that is not counted, since others ran in between, and then the counted runs."""

    do: Literal["measure"] = "measure"
    runs: int
    lead_in_s: float = Field(description="At least one run, and runs for that long.")


class Measured(_Message):
    """The answer to ``Measure``."""

    latencies_ms: list[float]
    peak_rss_bytes: int | None
    frequency_mhz: float | None = Field(description="Of the fastest core, when the last run had ended.")


class Profile(_Message):
    """What each layer takes, by the runtime's own clock."""

    do: Literal["profile"] = "profile"
    runs: int


class Profiled(_Message):
    """The answer to ``Profile``."""

    layers: list[LayerTime]


class Evaluate(_Message):
    """Run all samples."""

    do: Literal["evaluate"] = "evaluate"


class Evaluated(_Message):
    """The answer to ``Evaluate``."""

    outputs: str = Field(description=".npy of real values [N, ...], gone when the process ends.")


class Sustain(_Message):
    """Inference after inference; answered by ``edgecnn.results.Sustained``."""

    do: Literal["sustain"] = "sustain"
    seconds: float
    windows: int


class End(_Message):
    """The process ends; there is no answer."""

    do: Literal["end"] = "end"


class Request(_Message):
    """Any request."""

    body: Annotated[
        Describe | Load | Warm | Measure | Profile | Evaluate | Sustain | End,
        Field(discriminator="do"),
    ]
