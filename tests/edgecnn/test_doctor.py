"""``edgecnn doctor`` on this machine, and in environments that lack something or hold something broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from edgecnn import doctor
from edgecnn.requirements import FEATURES, TOOLS
from tests.support import Cli

ROOT = Path(__file__).resolve().parents[2]

BASE = (
    "annotated_types",
    "click",
    "markdown_it",
    "mdurl",
    "numpy",
    "pydantic",
    "pydantic_core",
    "pygments",
    "rich",
    "tomli",
    "typing_extensions",
    "typing_inspection",
)


class Environment:
    """A Python with edgecnn and the base packages except the TFLite runtime, linked from those installed here."""

    def __init__(self, folder: Path) -> None:
        self.packages = folder / "packages"
        self.packages.mkdir()
        self.folder = folder
        for entry in Path(sysconfig.get_path("purelib")).iterdir():
            name = entry.name.lower().partition("-")[0].partition(".")[0]
            if name in BASE or entry.name == "numpy.libs":
                (self.packages / entry.name).symlink_to(entry)

    def add(self, module: str, distribution: str, version: str, source: str) -> None:
        """Put a package there: its metadata, and a module with this source."""
        (self.packages / module).mkdir()
        (self.packages / module / "__init__.py").write_text(source)
        info = self.packages / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")

    def doctor(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Exit code and document of ``edgecnn doctor --json``, by an interpreter that sees nothing else."""
        path = os.pathsep.join([str(self.packages), str(ROOT)])
        done = subprocess.run(
            [sys.executable, "-S", "-m", "edgecnn", "doctor", "--json", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            encoding="utf-8",
            timeout=300,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


def named(document: dict[str, Any], name: str) -> dict[str, Any]:
    (check,) = (check for check in document["checks"] if check["name"] == name)
    return dict(check)


def test_here_the_base_works(cli: Cli) -> None:
    document = json.loads(cli("doctor", "--json").stdout)
    assert document["base_works"] is True
    assert document["python"].count(".") == 2
    assert named(document, "TFLite runtime")["status"] == "ok"
    assert [check for check in document["checks"] if check["status"] != "ok" and not check["get"]] == []


def test_page_fits_80_columns_and_names_everything(cli: Cli) -> None:
    runs = "/".join(["", *["a long way"] * 12])
    page = cli("doctor", env={"EDGECNN_RUNS": runs}).stdout
    (line,) = (line for line in page.splitlines() if line.startswith("Runs are written to"))
    assert line == f"Runs are written to {runs}"    # whole, to be copied
    assert max(len(other) for other in page.splitlines() if other != line) <= 80
    for name in [feature.name for feature in FEATURES] + [tool.name for tool in TOOLS]:
        assert f" {name} " in page
    assert "The base works" in page


def test_looking_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom edgecnn import doctor\ndoctor.examine(False, print)\n"
        "heavy = {'tensorflow', 'keras', 'onnx', 'onnxruntime', 'matplotlib', 'sklearn', 'PIL', 'jinja2'}\n"
        "print('loaded:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_without_a_runtime_the_base_is_broken(environment: Environment) -> None:
    code, document = environment.doctor()
    assert code == 1
    assert document["base_works"] is False
    runtime = named(document, "TFLite runtime")
    assert runtime["status"] == "missing"
    assert runtime["get"]
    for feature in FEATURES:
        check = named(document, feature.name)
        assert check["status"] == "missing"
        assert check["get"] == f"pip install 'edgecnn[{feature.extra}]'"


def test_tflite_runtime_beside_numpy_2_is_broken(environment: Environment) -> None:
    environment.add("tflite_runtime", "tflite-runtime", "2.14.0", "")
    code, document = environment.doctor()
    runtime = named(document, "TFLite runtime")
    if int(named(document, "NumPy")["found"].split(".")[0]) < 2:
        assert (code, runtime["status"]) == (0, "ok")
        return
    assert (code, runtime["status"], runtime["get"]) == (1, "broken", "pip install 'numpy<2'")


def test_deep_survives_a_package_that_ends_its_process(environment: Environment) -> None:
    environment.add("jinja2", "jinja2", "3.1.0", "import os\nos.abort()\n")
    environment.add("matplotlib", "matplotlib", "3.9.0", "")
    _, shallow = environment.doctor()
    assert named(shallow, "report")["status"] == "ok"
    _, document = environment.doctor("--deep")
    report = named(document, "report")
    assert report["status"] == "broken"
    assert report["found"] == "jinja2: import ends the process with SIGABRT"
    assert report["get"] == "pip install --force-reinstall jinja2"


def test_deep_reports_the_last_line_of_an_import_error(environment: Environment) -> None:
    environment.add("ai_edge_litert", "ai-edge-litert", "2.0.0", "raise ImportError('libfoo.so.1 is not there')\n")
    code, document = environment.doctor("--deep")
    runtime = named(document, "TFLite runtime")
    assert (code, runtime["status"]) == (1, "broken")
    assert runtime["found"] == "ai-edge-litert 2.0.0: ImportError: libfoo.so.1 is not there"


def test_runs_folder_that_cannot_be_written(unprivileged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = unprivileged / "locked"
    locked.mkdir()
    monkeypatch.setenv("EDGECNN_RUNS", str(locked / "runs"))
    for mode in (0o500, 0):    # may not be written to; may not even be entered
        locked.chmod(mode)
        check = doctor._runs_folder()
        assert check.status == "broken"
        assert str(locked) in check.found
    locked.chmod(0o700)
    assert doctor._runs_folder().status == "ok"

