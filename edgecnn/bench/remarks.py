"""Sentences for those who read the figures: what spoils them, and what they do not tell."""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.bench.interleave import Measured, Settings
from edgecnn.bench.steady import LIMIT_S, TOLERANCE
from edgecnn.evaluation_data import EvaluationData
from edgecnn.formats import percent
from edgecnn.results import DeviceRecord, Entry

BUSY = 0.5
"""Load average per core above which a note says that the machine was busy."""

NOISY = 1.5
"""p95 / p50 above which a note says that the latency scattered."""

HOT_C = 80.0
"""Temperature from which many processors slow down; a Raspberry Pi does so from 80 °C on."""

STEPPED = 0.05
"""Share by which the processor's clock may differ between turns."""


def data_remarks(test: EvaluationData | None, accuracy: bool) -> list[str]:
    """On what it was measured, where that is not all test samples."""
    if test is None:
        return ["No data: latency was measured on random inputs, accuracy was not measured. Give a set with --data."]
    if accuracy:
        return []
    return [f"Latency was measured on test samples of {test.record.set}; accuracy was not asked for (--no-accuracy)."]


def device_remarks(name: str, device: DeviceRecord, frequencies_mhz: Sequence[float]) -> list[str]:
    """What was wrong with a machine while it was measured on.

    Args:
        name: Of the machine; empty for this one.
        device: With its condition before and after.
        frequencies_mhz: Of its fastest core after each turn.
    """
    on = f"On {name}: " if name else ""
    found = []
    if device.load_before is not None and device.load_before > BUSY * device.cores:
        found.append(
            f"{on}The load average was {device.load_before} on {device.cores} cores when the measurement began: other "
            "work, or what ran just before, may have slowed it. Measure again on an idle machine for figures to quote."
        )
    clocks = [one for one in frequencies_mhz if one > 0]
    if clocks and min(clocks) < (1 - STEPPED) * max(clocks):
        governor = f" under the governor {device.governor!r}" if device.governor is not None else ""
        advice = (
            " Set the governor to performance for figures to quote." if device.governor not in (None, "performance")
            else ""
        )
        found.append(
            f"{on}The processor's clock was {min(clocks):.0f} to {max(clocks):.0f} MHz from turn to turn{governor}: "
            f"part of the scatter is the clock's.{advice}"
        )
    if held_back := list(dict.fromkeys([*(device.throttled_before or []), *(device.throttled_after or [])])):
        found.append(
            f"{on}The board reports {', '.join(held_back)}: it may have run slower than it can. A stronger power "
            "supply cures under-voltage, a fan the temperature; what 'has occurred' is forgotten when it restarts."
        )
    temperatures = [one for one in (device.temperature_before_c, device.temperature_after_c) if one is not None]
    if temperatures and max(temperatures) > HOT_C:
        found.append(
            f"{on}The processor was at {max(temperatures):.0f} °C, and above {HOT_C:.0f} °C many slow down. "
            "Cool it for figures to quote."
        )
    return found


def entry_remarks(entries: Sequence[Entry]) -> list[str]:
    """Which latencies never settled, and which scattered."""
    found = []
    if unsteady := [_name(entry) for entry in entries if not entry.steady]:
        found.append(
            f"Latency had not settled to within {percent(TOLERANCE)} after {LIMIT_S:g} s of warm-up: "
            f"{', '.join(unsteady)}. Other work on the machine does that."
        )
    if scattered := [_name(entry) for entry in entries if entry.p95_ms > NOISY * entry.p50_ms]:
        found.append(f"Latency scattered (p95 above {NOISY} × p50), so the figures are noisy: {', '.join(scattered)}.")
    if slowed := [_name(entry) for entry in entries if _slowed(entry)]:
        found.append(f"Latency rose while inference followed inference (--sustain): {', '.join(slowed)}.")
    return found


def settings_remarks(settings: Settings, measured: Sequence[Measured]) -> list[str]:
    """What the options mean for the figures."""
    found = []
    if settings.pin is not None and settings.threads > 1:
        found.append(f"{settings.threads} threads shared core {settings.pin} (--pin).")
    if settings.profile and (silent := sorted({one.row.runtime for one in measured if not one.loaded[-1].profiles})):
        found.append(f"No profile: {', '.join(silent)} cannot tell what a layer takes.")
    bases = [one.loaded[-1].base_rss_bytes for one in measured]
    if known := [base for base in bases if base is not None]:
        found.append(
            f"Peak memory is that of the whole process; about {max(known) / 1e6:.0f} MB of it is Python with NumPy."
        )
    return found


def _slowed(entry: Entry) -> bool:
    """Whether the last tenth of a sustained run was slower than the first by more than the warm-up's tolerance."""
    if entry.sustained is None or len(entry.sustained.p50_ms) < 10:
        return False
    p50, tenth = entry.sustained.p50_ms, len(entry.sustained.p50_ms) // 10
    first, last = sorted(p50[:tenth])[tenth // 2], sorted(p50[-tenth:])[tenth // 2]
    return last > (1 + TOLERANCE) * first


def _name(entry: Entry) -> str:
    where = f" at {entry.device}" if entry.device else ""
    return f"{entry.artefact} on {entry.runtime}{where}"
