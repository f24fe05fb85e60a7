"""``edgecnn tune`` as users run it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Here = Callable[..., tuple[int, str, str]]


def test_no_space(cli_here: Here) -> None:
    code, _, said = cli_here("tune", "lenet5")
    assert code == 2
    assert "has no space.toml: say what may change with --space FILE" in said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--objective", "size"), "unknown objective 'size'"),
        (("--space", "nowhere.toml"), "nowhere.toml: no such file"),
        (("--storage", "study.db"), "--storage study.db: not a URL"),
        (("--sampler", "grid"), "train.schedule.initial_learning_rate: --sampler grid needs an end of values"),
        (("--set", "train.batch=8"), "train.batch: it is searched over, and --set or --epochs gives train.batch=8"),
        (("--trials", "0", "--target", "cortex-m9"), "unknown target 'cortex-m9'"),
        (("--trials", "0", "--pick", "3"), "none of 0 trials was trained to its end: there is none."),
    ],
)
def test_mistakes(cli_here: Here, arguments: tuple[str, ...], told: str) -> None:
    code, out, said = cli_here("tune", "digits_tiny", *arguments)
    assert (code, out) == (1 if "none of" in told else 2, "")
    assert told in said
