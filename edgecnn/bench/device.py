"""The machine that figures were measured on: what it is, and how it is doing."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from edgecnn.machine import memory_bytes
from edgecnn.results import DeviceRecord
from edgecnn.runs import installed_versions

_PROC = Path("/proc")
_SYS = Path("/sys")


_THROTTLED = {
    # Raspberry Pi documentation, "os", vcgencmd get_throttled
    0: "under-voltage",
    1: "Arm frequency capped",
    2: "throttled",
    3: "soft temperature limit",
    16: "under-voltage has occurred",
    17: "Arm frequency capping has occurred",
    18: "throttling has occurred",
    19: "soft temperature limit has occurred",
}


@dataclass(frozen=True)
class Condition:
    """What changes while something is measured; each None where the system does not tell.

    Attributes:
        load: One-minute load average.
        temperature_c: Of the hottest thermal zone, degrees Celsius.
        frequency_mhz: Of the fastest core.
        throttled: What holds a Raspberry Pi back, in words.
    """

    load: float | None
    temperature_c: float | None
    frequency_mhz: float | None = None
    throttled: list[str] | None = None


def condition() -> Condition:
    """How the machine is doing now."""
    load = None
    if hasattr(os, "getloadavg"):
        with contextlib.suppress(OSError):
            load = round(os.getloadavg()[0], 2)
    return Condition(load, _temperature(_SYS), frequency_mhz(), throttled(_SYS))


def machine_now() -> DeviceRecord:
    """This machine, with its condition now as that before a measurement."""
    versions, now = installed_versions(), condition()
    return DeviceRecord(
        cpu=cpu_name(_PROC),
        cores=usable_cores(),
        architecture=platform.machine(),
        memory_bytes=memory_bytes(),
        system=_system(),
        python=versions.pop("python"),
        governor=_read(_SYS / "devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        load_before=now.load,
        temperature_before_c=now.temperature_c,
        frequency_before_mhz=now.frequency_mhz,
        throttled_before=now.throttled,
        packages=versions,
    )


def before_and_after(first: DeviceRecord, last: DeviceRecord) -> DeviceRecord:
    """A machine with its condition before and after, from what ``machine_now`` said at either time."""
    return first.model_copy(
        update={
            "load_after": last.load_before,
            "temperature_after_c": last.temperature_before_c,
            "frequency_after_mhz": last.frequency_before_mhz,
            "throttled_after": last.throttled_before,
        }
    )


def frequency_mhz(sys: Path = _SYS, proc: Path = _PROC) -> float | None:
    """Clock of the fastest core now, as cpufreq or ``/proc/cpuinfo`` tells it; None where neither does.

    Args:
        sys: Where the kernel's sys file system is.
        proc: Where its process file system is.
    """
    texts = [_read(path) for path in sys.glob("devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq")]
    found = [int(text) / 1e3 for text in texts if text is not None and text.isdigit()]
    if not found:
        found = [float(number) for number in re.findall(r"(?m)^cpu MHz\s*:\s*([\d.]+)", _read(proc / "cpuinfo") or "")]
    return round(max(found), 1) if found else None


def throttled(sys: Path = _SYS) -> list[str] | None:
    """What holds a Raspberry Pi back now or has done so since it started; None where nobody tells.

    Args:
        sys: Where the kernel's sys file system is. Where it does not tell, ``vcgencmd`` is asked.
    """
    text = _read(sys / "devices/platform/soc/soc:firmware/get_throttled")
    if text is None and (command := shutil.which("vcgencmd")) is not None:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            asked = [command, "get_throttled"]
            text = subprocess.run(asked, capture_output=True, text=True, timeout=5, check=True).stdout
    return None if text is None else throttled_words(text)


def throttled_words(text: str) -> list[str] | None:
    """The bits of ``throttled=0x50005``, or of the bare hexadecimal number that the kernel gives, in words.

    Returns:
        None where it is no number.
    """
    try:
        bits = int(text.strip().rpartition("=")[2], 16)
    except ValueError:
        return None
    return [words for bit, words in _THROTTLED.items() if bits >> bit & 1]


def usable_cores() -> int:
    """Logical processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_name(proc: Path) -> str:
    """The processor as the kernel names it; on an Arm board the board's name says more and comes first.

    Args:
        proc: Where the kernel's process file system is.
    """
    text = _read(proc / "cpuinfo") or ""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip().lower(), value.strip())
    board = fields.get("model", "")
    names = [
        # x86 has a number under "model" and the name under "model name"; a Raspberry Pi has its name under "model".
        board if not board.isdigit() else "",
        fields.get("model name", ""),
        fields.get("hardware", ""),
        (_read(proc / "device-tree/model") or "").rstrip("\0"),
        platform.processor(),
        platform.machine(),
    ]
    return re.sub(r"\s+", " ", next(name for name in (*names, "unknown") if name))


def _temperature(sys: Path) -> float | None:
    readings = []
    for zone in sorted(sys.glob("class/thermal/thermal_zone*/temp")):
        with contextlib.suppress(ValueError):
            readings.append(int(_read(zone) or "") / 1000)
    plausible = [reading for reading in readings if -40 < reading < 150]    # unconnected sensors report nonsense
    return max(plausible) if plausible else None


def _system() -> str:
    with contextlib.suppress(OSError):
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    if platform.system() == "Darwin":
        return f"macOS {platform.mac_ver()[0]}"
    return f"{platform.system()} {platform.release()}"


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
