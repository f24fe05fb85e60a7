"""One training on two workers against the same in one process; what ``TF_CONFIG`` may say."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.errors import UsageError
from edgecnn.training.distributed import EXAMPLE, Cluster, cluster_from_environment
from tests.support import child_environment
from tests.training_runs import trained

TWO = ["10.0.0.1:2222", "10.0.0.2:2222"]


def config(cluster: Any = None, task: Any = None) -> dict[str, str]:
    document = {"cluster": cluster or {"worker": TWO}, "task": task or {"type": "worker", "index": 0}}
    return {"TF_CONFIG": json.dumps(document)}


def test_workers_are_counted_from_the_chief() -> None:
    assert cluster_from_environment(config()) == Cluster(tuple(TWO), 0)
    second = cluster_from_environment(config(task={"type": "worker", "index": 1}))
    assert second == Cluster(tuple(TWO), 1)
    assert second is not None and not second.chief
    chief, all_three = {"chief": ["a:1"], "worker": ["b:1", "[::1]:1"]}, ("a:1", "b:1", "[::1]:1")
    assert cluster_from_environment(config(chief, {"type": "chief", "index": 0})) == Cluster(all_three, 0)
    assert cluster_from_environment(config(chief, {"type": "worker", "index": 1})) == Cluster(all_three, 2)


def test_one_process_needs_no_cluster() -> None:
    assert cluster_from_environment({}) is None
    assert cluster_from_environment({"TF_CONFIG": " "}) is None
    assert cluster_from_environment(config({"worker": TWO[:1]})) is None


def test_the_example_in_the_message_is_one() -> None:
    assert cluster_from_environment({"TF_CONFIG": EXAMPLE}) == Cluster(tuple(TWO), 0)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TF_CONFIG": "{cluster"}, "not JSON"),
        ({"TF_CONFIG": "[1]"}, r"found \[1\]"),
        ({"TF_CONFIG": "{}"}, "no cluster in it"),
        ({"TF_CONFIG": '{"cluster": {"worker": ["a:1", "b:1"]}}'}, "task.type is None"),
        (config({"worker": TWO, "ps": ["c:1"]}), "cluster has 'ps'; supported are worker and chief"),
        (config({"worker": "a:1"}), "a list of 'host:port' is expected"),
        (config({"worker": ["a", "b:1"]}), "a list of 'host:port' is expected"),
        (config({"worker": ["a:1", "a:1"]}), "stands in cluster twice"),
        (config({"chief": ["a:1", "b:1"], "worker": TWO}), "cluster.chief has 2 addresses"),
        (config(task={"type": "evaluator", "index": 0}), "task.type is 'evaluator'; it must be one of cluster: worker"),
        (config(task={"type": ["worker"], "index": 0}), r"task.type is \['worker'\]"),
        (config(task={"type": "worker", "index": 2}), "task.index is 2; cluster.worker has 2, counted from 0"),
        (config(task={"type": "worker", "index": "0"}), "task.index is '0'"),
    ],
)
def test_a_malformed_setting_is_explained(environment: dict[str, str], expected: str) -> None:
    with pytest.raises(UsageError, match=rf"TF_CONFIG: .*{expected}.*Unset it"):
        cluster_from_environment(environment)


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.mark.slow
def test_two_workers_train_as_one_process(tmp_path: Path) -> None:
    """Dropout is off: its masks differ between workers. 270 samples in batches of 33: shares of 17 and 16, then 3."""
    changes = [
        "train.epochs=3",
        "data.limit=300",
        "train.batch=33",
        "model.arguments.dropout=0",
        "train.average=0.9",
        "train.class_weight=balanced",
        "train.schedule={name='inverse_time', initial_learning_rate=0.005, k=0.5, warmup_epochs=0.5}",
        "train.optimizer={name='adam', global_clipnorm=0.2}",
    ]
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    options = [part for change in changes for part in ("--set", change)]
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "edgecnn", "train", "digits_tiny", *options, "--out", "both", "--json"],
            cwd=tmp_path,
            env={**child_environment(tmp_path), **config({"worker": addresses}, {"type": "worker", "index": index})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in (0, 1)
    ]
    alone = trained("digits_tiny", tmp_path / "alone", changes)
    try:
        said = [worker.communicate(timeout=600) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [0, 0], said
    assert json.loads(said[0][0])["run"] == "both"
    assert json.loads(said[1][0]) == {"worker": 1, "workers": 2, "model": "digits_tiny"}
    assert "Traceback" not in said[0][1] + said[1][1]
    assert {path.name for path in tmp_path.iterdir()} == {"alone", "both"}    # the second worker left nothing

    from edgecnn.keras_quiet import load_keras_model

    ours, theirs = (load_keras_model(tmp_path / name / "model.keras", "the test") for name in ("alone", "both"))
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    training = json.loads((tmp_path / "both" / "run.json").read_text())["training"]
    assert alone.info.training is not None
    expected = alone.info.training.history.values
    for name in ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"):
        assert training["history"]["values"][name] == pytest.approx(expected[name], rel=1e-4), name
    assert expected["val_loss"][-1] < expected["val_loss"][0]


@pytest.mark.slow
def test_what_one_process_does_is_not_done_by_several(tmp_path: Path) -> None:
    environment = {**child_environment(tmp_path), **config()}
    for arguments, expected in (
        (["run", "digits_tiny"], "edgecnn train` on every worker"),
        (["train", "digits_tiny", "--set", "train.batch=1"], "train.batch = 1 cannot be divided over 2 workers"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "edgecnn", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 2
        assert expected in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("run.json"))
