"""Emulated devices for tests: one of each architecture for all that leaves it usable, and others made to order."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.emulated_pi.device import Device, MakePi
from tests.emulated_pi.userland import UnavailableError, build


def _started(architecture: str, release: str, home_size: str, without: tuple[str, ...]) -> Device:
    pytest.importorskip("asyncssh", reason="an emulated device needs asyncssh, of the extra 'ssh'")
    try:
        device = Device(build(architecture, release), home_size, without)
        device.start()
    except UnavailableError as error:
        pytest.skip(str(error))
    return device


@pytest.fixture(scope="session")
def arm64_pi() -> Iterator[Device]:
    """A 64-bit device with Debian 12, for all tests."""
    with contextlib.closing(_started("arm64", "bookworm", "1g", ())) as device:
        yield device


@pytest.fixture(scope="session")
def armhf_pi() -> Iterator[Device]:
    """A 32-bit device with Debian 12 and its NumPy, for all tests."""
    with contextlib.closing(_started("armhf", "bookworm", "1g", ())) as device:
        yield device


@pytest.fixture
def make_pi() -> Iterator[MakePi]:
    """Devices that differ: by their Debian, the size of their disk, by what they lack."""
    with contextlib.ExitStack() as devices:

        def make(
            architecture: str = "arm64",
            release: str = "bookworm",
            *,
            home_size: str = "1g",
            without: tuple[str, ...] = (),
        ) -> Device:
            return devices.enter_context(contextlib.closing(_started(architecture, release, home_size, without)))

        yield make
