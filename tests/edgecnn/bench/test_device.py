"""What is said of a machine: from files as a kernel writes them, and from the one that the tests run on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgecnn.bench.device import before_and_after, cpu_name, frequency_mhz, machine_now, throttled, throttled_words
from edgecnn.bench.remarks import device_remarks
from edgecnn.results import DeviceRecord

PI = "processor\t: 0\nCPU part\t: 0xd0b\n\nHardware\t: BCM2835\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n"
INTEL = "processor\t: 0\nmodel\t\t: 158\nmodel name\t: Intel(R) Core(TM) i7-8700   CPU @ 3.20GHz\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [(PI, "Raspberry Pi 5 Model B Rev 1.0"), (INTEL, "Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz")],
)
def test_the_processor_is_called_what_people_call_it(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert cpu_name(tmp_path) == name


def test_a_board_without_cpuinfo_is_named_by_its_device_tree(tmp_path: Path) -> None:
    (tmp_path / "device-tree").mkdir()
    (tmp_path / "device-tree/model").write_bytes(b"NVIDIA Jetson Nano Developer Kit\0")
    assert cpu_name(tmp_path) == "NVIDIA Jetson Nano Developer Kit"


def test_the_machine_as_it_is() -> None:
    first, last = machine_now(), machine_now()
    record = before_and_after(first, last.model_copy(update={"load_before": 0.75, "temperature_before_c": 51.5}))
    assert (record.load_before, record.load_after, record.temperature_after_c) == (first.load_before, 0.75, 51.5)
    assert 1 <= record.cores <= (os.cpu_count() or 1)
    assert "numpy" in record.packages
    assert record.cpu
    assert record.system


def test_the_clock_is_that_of_the_fastest_core(tmp_path: Path) -> None:
    assert frequency_mhz(tmp_path / "sys", tmp_path) is None
    (tmp_path / "cpuinfo").write_text("cpu MHz\t\t: 2596.146\ncpu MHz\t\t: 3100.000\n")
    assert frequency_mhz(tmp_path / "sys", tmp_path) == 3100.0
    for core, text in enumerate(("1500000", "2400000", "600000")):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{core}/cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_cur_freq").write_text(f"{text}\n")
    assert frequency_mhz(tmp_path / "sys", tmp_path) == 2400.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("throttled=0x0\n", []),
        ("throttled=0x5\n", ["under-voltage", "throttled"]),
        ("throttled=0x50000\n", ["under-voltage has occurred", "throttling has occurred"]),
        ("80008", ["soft temperature limit", "soft temperature limit has occurred"]),
        ("20002", ["Arm frequency capped", "Arm frequency capping has occurred"]),
        ("VCHI initialization failed", None),
    ],
)
def test_throttle_flags_in_words(text: str, words: list[str] | None) -> None:
    assert throttled_words(text) == words


def test_the_kernel_is_asked_for_the_throttle_flags(tmp_path: Path) -> None:
    path = tmp_path / "devices/platform/soc/soc:firmware/get_throttled"
    path.parent.mkdir(parents=True)
    path.write_text("50000\n")
    assert throttled(tmp_path) == ["under-voltage has occurred", "throttling has occurred"]


def record(**changes: object) -> DeviceRecord:
    calm = {"cores": 4, "governor": None, "load_before": 0.1, "temperature_before_c": 45.0, "throttled_before": []}
    return machine_now().model_copy(update={**calm, **changes})


@pytest.mark.parametrize(
    ("changes", "clocks", "words"),
    [
        ({}, [1500.0, 1500.0, 1499.0], None),
        ({"load_before": 2.5}, [], "load average was 2.5 on 4 cores"),
        ({"governor": "ondemand"}, [600.0, 1500.0], "600 to 1500 MHz from turn to turn under the governor 'ondemand'"),
        ({"throttled_after": ["throttled"]}, [], "The board reports throttled"),
        ({"temperature_after_c": 84.2}, [], "was at 84 °C"),
    ],
)
def test_what_spoils_the_figures_is_said(changes: dict[str, object], clocks: list[float], words: str | None) -> None:
    found = device_remarks("pi@kitchen", record(**changes), clocks)
    assert len(found) == (words is not None)
    assert all(words in note and note.startswith("On pi@kitchen: ") for note in found if words is not None)
