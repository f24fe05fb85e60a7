"""The installer against a folder of this machine: whole, damaged, cut at every step.

The bundles here are small and stand on their own: their ``edgecnn`` is three lines that read a verdict. What a real one
does is tested in ``test_over_ssh``.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from edgecnn.remote import on_device
from edgecnn.remote.on_device import MARK

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a device is a POSIX system")

SELF_TEST = """
import pathlib
import helper

def main(folder):
    verdict = pathlib.Path(folder, "verdict.json").read_text()
    print("EDGECNN " + verdict)
"""
GOOD = '{"samples": 1, "helper": true}'
Bundle = tuple[dict[str, Any], dict[str, bytes]]

# Ends the process at the n-th change that it makes to the file system, as a kill or a power cut would.
CUT = """
import json, os, sys
count = 0
CHANGES = {"os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate"}
def hook(event, arguments):
    global count
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if event in CHANGES or writes or event == "subprocess.Popen":
        count += 1
        if count == int(sys.argv[1]):
            os._exit(9)
from edgecnn.remote import on_device
parameters = json.load(sys.stdin)
sys.addaudithook(hook)
on_device.main(parameters)
"""


def archive(files: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        for name, text in files.items():
            target.writestr(zipfile.ZipInfo(name), text)
    return stream.getvalue()


def wheel(files: dict[str, str], record: str | None = None) -> bytes:
    def entry(name: str, text: str) -> str:
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        return f"{name},sha256={digest},{len(text)}\n"

    listed = "".join(entry(name, text) for name, text in files.items()) if record is None else record
    name = "helper-1.0.dist-info/RECORD"
    return archive({**files, name: f"{listed}{name},,\n"})


def bundle(model: str = "one", verdict: str = GOOD, helper: bytes | None = None, code: bytes | None = None) -> Bundle:
    """A manifest, and the blobs that it names by their sha256."""
    files = {"model.tflite": model.encode(), "verdict.json": verdict.encode()}
    code = code or archive({
        "edgecnn/__init__.py": "", "edgecnn/remote/__init__.py": "", "edgecnn/remote/self_test.py": SELF_TEST,
    })    # fmt: skip
    helper = helper or wheel({"helper/__init__.py": "", "helper/data.txt": "x"})
    blobs: dict[str, bytes] = {}

    def entry(path: str, data: bytes, unpacked: int = 0) -> dict[str, Any]:
        sha = hashlib.sha256(data).hexdigest()
        blobs[sha] = data
        return {"path": path, "sha256": sha, "bytes": len(data), "unpacked": unpacked}

    manifest = {
        "model": model,
        "runtime": "litert",
        "files": [entry(name, data) for name, data in files.items()],
        "code": entry("edgecnn-1.zip", code, 4096),
        "wheels": [entry("helper-1.0-py3-none-any.whl", helper, 4096)],
    }
    return manifest, blobs


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A home that a shell would take apart."""
    return tmp_path / "a home; with 'quotes' \"and\" $(things)" / "edgecnn"


def act(root: Path, action: str, capsys: pytest.CaptureFixture[str], **parameters: Any) -> Any:
    """The answer, or the error, of what the installer printed last."""
    capsys.readouterr()
    on_device.main({"root": str(root), "action": action, **parameters})
    message = json.loads(capsys.readouterr().out.splitlines()[-1].removeprefix(MARK))
    return message["answer"] if "answer" in message else message["error"]


def send(root: Path, given: Bundle, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Put what is wanted where it is wanted; what that was."""
    answer = act(root, "begin", capsys, manifest=given[0])
    for sha in answer["wanted"]:
        Path(answer["incoming"], sha).write_bytes(given[1][sha])
    return list(answer["wanted"])


def install(root: Path, given: Bundle, capsys: pytest.CaptureFixture[str], name: str = "door") -> Any:
    send(root, given, capsys)
    return act(root, "install", capsys, name=name, manifest=given[0])


def answering(root: Path, name: str = "door") -> str:
    """What the version says that answers."""
    return (root / name / "current" / "model.tflite").read_text()


class TestInstalling:
    def test_a_version_is_installed_tested_and_switched_to(
        self, root: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        first = install(root, bundle("one"), capsys)
        assert first["before"] is None
        assert first["self_test"] == json.loads(GOOD)
        second = install(root, bundle("two"), capsys)
        assert second["before"] == first["id"]
        assert answering(root) == "two"
        assert (root / "door" / "previous" / "model.tflite").read_text() == "one"
        assert os.access(root / "door" / "current" / "run", os.X_OK)
        assert (root / "door" / "current" / "lib" / "helper" / "data.txt").read_text() == "x"
        assert list((root / ".incoming").iterdir()) == []

    def test_what_is_there_is_not_sent_again(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        given = bundle("one")
        assert len(send(root, given, capsys)) == 4
        assert send(root, given, capsys) == []    # arrived, not installed yet
        act(root, "install", capsys, name="door", manifest=given[0])
        assert len(send(root, bundle("two"), capsys)) == 1 + 1    # the verdict was not kept, packages were
        assert len(send(root, bundle("two"), capsys)) == 0

    def test_the_same_again_is_the_same_version(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        first = install(root, bundle("one"), capsys)
        again = install(root, bundle("one"), capsys)
        assert again["id"] == again["before"] == first["id"]
        assert len(list((root / "door" / "versions").iterdir())) == 1

    def test_a_damaged_version_is_made_anew(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        first = install(root, bundle("one"), capsys)
        Path(first["folder"], "model.tflite").write_text("bad")
        again = install(root, bundle("one"), capsys)
        assert again["id"] == first["id"]
        assert answering(root) == "one"
        assert len(list((root / "door" / "versions").iterdir())) == 1

    def test_three_versions_are_kept_and_what_links_point_to(
        self, root: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for number in range(6):
            install(root, bundle(f"v{number}"), capsys)
        (status,) = act(root, "status", capsys)
        assert [version["model"] for version in status["versions"]] == ["v5", "v4", "v3"]
        assert act(root, "rollback", capsys, name="door")["id"] == status["versions"][1]["id"]
        install(root, bundle("v6"), capsys)
        (status,) = act(root, "status", capsys)
        assert [version["model"] for version in status["versions"]] == ["v6", "v5", "v4"]
        assert answering(root) == "v6"
        assert (root / "door" / "previous" / "model.tflite").read_text() == "v4"

    def test_packages_that_nothing_uses_go(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        other = wheel({"helper/__init__.py": "", "helper/data.txt": "new"})
        install(root, bundle("one"), capsys)
        for number in range(4):
            install(root, bundle(f"v{number}", helper=other), capsys)
        assert len(list((root / ".lib").iterdir())) == 2    # one list of packages, and the code
        assert (root / "door" / "current" / "lib" / "helper" / "data.txt").read_text() == "new"

    def test_a_harness_for_measuring(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        manifest, blobs = bundle()
        send(root, (manifest, blobs), capsys)
        answer = act(root, "harness", capsys, manifest={**manifest, "files": [], "runtime": ""})
        assert Path(answer["folder"], "code", "edgecnn", "remote", "self_test.py").is_file()
        sha = hashlib.sha256(b"data").hexdigest()
        assert act(root, "has", capsys, file=f"{sha}.npy", sha256=sha) is False
        Path(answer["files"], f"{sha}.npy").write_bytes(b"data")
        assert act(root, "has", capsys, file=f"{sha}.npy", sha256=sha) is True
        install(root, bundle("one"), capsys)
        act(root, "remove", capsys, name="door")
        assert Path(answer["folder"], "lib", "helper").is_dir()    # still in use


class TestRefusing:
    def check_unchanged(self, root: Path) -> None:
        assert answering(root) == "one"
        assert len(list((root / "door" / "versions").iterdir())) == 1

    @pytest.mark.parametrize("which", range(4))
    def test_a_damaged_blob(self, root: Path, capsys: pytest.CaptureFixture[str], which: int) -> None:
        install(root, bundle("one"), capsys)
        given = bundle("two", verdict=GOOD + " ", helper=wheel({"helper/__init__.py": "#"}),
                       code=archive({"edgecnn/__init__.py": "#"}))    # fmt: skip
        sha = send(root, given, capsys)[which]
        blob = root / ".incoming" / sha
        blob.write_bytes(blob.read_bytes()[:-1] + b"?")
        said = act(root, "install", capsys, name="door", manifest=given[0])
        assert "arrived damaged" in said
        assert not blob.exists()
        assert send(root, given, capsys) == [sha]    # that one alone is wanted again
        self.check_unchanged(root)

    def test_a_blob_that_is_missing(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        install(root, bundle("one"), capsys)
        said = act(root, "install", capsys, name="door", manifest=bundle("two")[0])
        assert "did not arrive" in said
        self.check_unchanged(root)

    @pytest.mark.parametrize(
        ("helper", "says"),
        [
            (wheel({"helper/__init__.py": "x = 1"}, record="helper/__init__.py,sha256=AAAA,5\n"), "not as its RECORD"),
            (wheel({"helper/__init__.py": "x = 1"}, record=""), "not in its RECORD"),
            (archive({"helper/__init__.py": ""}), "has no RECORD"),
            (wheel({"../../../evil.py": ""}), "leads out of its folder"),
            (wheel({"/evil.py": ""}), "leads out of its folder"),
        ],
    )
    def test_a_wheel_that_is_none(
        self, root: Path, capsys: pytest.CaptureFixture[str], helper: bytes, says: str
    ) -> None:
        install(root, bundle("one"), capsys)
        assert says in install(root, bundle("two", helper=helper), capsys)
        self.check_unchanged(root)
        assert not list(root.parents[1].rglob("evil.py"))

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            (bundle("two", verdict='{"error": "litert gives other bytes."}'), "the self-test failed: litert gives"),
            (bundle("two", code=archive({"edgecnn/__init__.py": ""})), "No module named 'edgecnn.remote'"),
            (bundle("two", helper=wheel({"other.py": ""})), "No module named 'helper'"),
        ],
    )
    def test_a_self_test_that_fails(
        self, root: Path, capsys: pytest.CaptureFixture[str], given: Bundle, says: str
    ) -> None:
        install(root, bundle("one"), capsys)
        said = install(root, given, capsys)
        assert says in said
        assert "what answered before still does" in said
        assert answering(root) == "one"

    def test_names_and_versions_that_are_not_there(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "Nothing is deployed there" in act(root, "rollback", capsys, name="door")
        assert act(root, "status", capsys) == []
        install(root, bundle("one"), capsys)
        assert "no version to go back to" in act(root, "rollback", capsys, name="door")
        assert "There is: door" in act(root, "remove", capsys, name="window")
        for name in ("../door", "a b", "-rf", "", ".lib", "x/y"):
            assert "is no name" in act(root, "install", capsys, name=name, manifest=bundle("one")[0])

    def test_no_room(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        manifest, _ = bundle()
        manifest["code"]["unpacked"] = 10**15
        assert "Free some space. Nothing was copied" in act(root, "begin", capsys, manifest=manifest)

    def test_a_folder_of_another_account(
        self, unprivileged: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        unprivileged.chmod(0o500)
        assert "Permission denied" in act(unprivileged / "edgecnn", "begin", capsys, manifest=bundle()[0])
        unprivileged.chmod(0o700)


class TestRollbackAndRemoval:
    def test_back_and_forward(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        install(root, bundle("one"), capsys)
        install(root, bundle("two"), capsys)
        act(root, "rollback", capsys, name="door")
        assert answering(root) == "one"
        act(root, "rollback", capsys, name="door")
        assert answering(root) == "two"

    def test_not_to_a_version_that_was_damaged(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        first = install(root, bundle("one"), capsys)
        install(root, bundle("two"), capsys)
        Path(first["folder"], "verdict.json").write_text('{"error": "no."}')
        assert "is not what was installed" in act(root, "rollback", capsys, name="door")
        assert answering(root) == "two"

    def test_removal_leaves_others(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        install(root, bundle("one"), capsys)
        install(root, bundle("two"), capsys, name="window")
        act(root, "remove", capsys, name="door")
        assert [status["name"] for status in act(root, "status", capsys)] == ["window"]
        assert answering(root, "window") == "two"
        act(root, "remove", capsys, name="window")
        assert sorted(path.name for path in root.iterdir()) == [".incoming", ".lib", ".lock"]
        assert list((root / ".lib").iterdir()) == []


def run_cut(root: Path, step: int, parameters: dict[str, Any]) -> int:
    done = subprocess.run(
        [sys.executable, "-c", CUT, str(step)],
        input=json.dumps({"root": str(root), **parameters}).encode(), capture_output=True, timeout=60,
    )    # fmt: skip
    assert done.returncode in (0, 9), done.stderr.decode()
    return done.returncode


@pytest.mark.slow
@pytest.mark.parametrize("action", ["install", "rollback"])
def test_cut_at_every_step_the_old_version_answers(
    root: Path, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    install(root, bundle("zero"), capsys)
    install(root, bundle("one"), capsys)
    given = bundle("two", helper=wheel({"helper/__init__.py": "", "helper/more.py": ""}))
    if action == "install":
        send(root, given, capsys)
    parameters = {"action": action, "name": "door", **({"manifest": given[0]} if action == "install" else {})}
    kept = root.with_name("kept")
    shutil.copytree(root, kept, symlinks=True)
    new = "two" if action == "install" else "zero"
    seen = []
    for step in range(1, 1000):
        shutil.rmtree(root)
        shutil.copytree(kept, root, symlinks=True)
        code = run_cut(root, step, parameters)
        seen.append(answering(root))
        current = root / "door" / "current"
        assert (current / "run").is_file() and (current / "code" / "edgecnn").is_dir()
        assert (current / "lib" / "helper" / "__init__.py").is_file()
        (status,) = act(root, "status", capsys)
        assert status["current"] is not None
        if code == 0:
            break
        if step % 7 == 0 and action == "install":    # and what was cut can be done again
            assert "id" in install(root, given, capsys)
            assert answering(root) == "two"
    else:
        pytest.fail("it never came to its end")
    assert len(seen) > 10
    # The old version, then the new one from the switch on, and nothing else.
    assert seen == ["one"] * seen.count("one") + [new] * seen.count(new)
    assert seen.count("one") > 5
