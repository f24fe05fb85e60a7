"""What tests of every part may use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import Cli, child_environment

ROOT = Path(__file__).resolve().parents[1]

# A slow or busy machine is no reason for a test to fail.
settings.register_profile("edgecnn", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("edgecnn")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder ``shared`` beside the checkout, with models and data that are not part of the project."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("there is no folder 'shared' beside the checkout")
    return folder


@pytest.fixture(autouse=True)
def keep_signal_handler() -> Iterator[None]:
    """``edgecnn.cli.main`` takes over SIGTERM for the process that it runs in: where a test calls it, pytest's."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Runs ``edgecnn ARGUMENTS`` in ``tmp_path``, its runs in ``tmp_path/runs``, its output captured.

    ``code`` is the exit code that is asserted; None asserts nothing. A traceback fails the test in any case:
    no user's mistake may cause one.
    """

    def run(
        *arguments: str | Path,
        code: int | None = 0,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 900,
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "edgecnn", *map(str, arguments)]
        done = subprocess.run(
            command,
            cwd=cwd or tmp_path,
            env={**child_environment(tmp_path), **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
        )
        said = f"{' '.join(command[1:])}\nexit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        if "--debug" not in command:
            assert "Traceback (most recent call last)" not in done.stderr, said
        if code is not None:
            assert done.returncode == code, said
        return done

    return run


@pytest.fixture
def cli_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs ``edgecnn ARGUMENTS`` in ``tmp_path`` and in this process: exit code, standard output, standard error.

    Saves the second that a process of its own takes to start; for what ends before any heavy work begins.
    """
    for name, value in child_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        from edgecnn.cli import main

        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        assert "Traceback (most recent call last)" not in said.err, said.err
        return int(end.value.code or 0), said.out, said.err

    return run


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder that ``edgecnn run digits_tiny`` filled, by the recipe as it stands: trained once for all tests."""
    folder = tmp_path_factory.mktemp("digits") / "run"
    command = [sys.executable, "-m", "edgecnn", "run", "digits_tiny", "--out", str(folder), "--runs", "50", "--json"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=900)
    assert done.returncode == 0, done.stderr
    (folder.parent / "stdout.json").write_text(done.stdout, encoding="utf-8")
    return folder


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder in which the test is an ordinary user: root, whom no right stops, becomes nobody for its duration.

    What the test needs must be imported before, since nobody may not be able to read the environment.
    """
    if os.name != "posix":
        pytest.skip("rights are those of POSIX")
    with tempfile.TemporaryDirectory(prefix="edgecnn-test-") as name:
        folder = Path(name)
        if os.geteuid() != 0:
            yield folder
            return
        nobody = 65534
        os.chown(folder, nobody, nobody)
        # The real user too, because access(2) asks for that one; the saved one is the way back.
        os.setresuid(nobody, nobody, 0)
        try:
            yield folder
        finally:
            os.setresuid(0, 0, 0)
