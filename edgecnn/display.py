"""How the stages of the pipeline tell what they are doing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from edgecnn.training.callbacks import Watcher


class Display(Protocol):
    """How a stage tells what it is doing."""

    def say(self, text: str) -> None:
        """A remark."""

    def warn(self, text: str) -> None:
        """Something that the user should know."""

    def training(self) -> AbstractContextManager[Watcher]:
        """Follow a training."""

    def counting(self, description: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Count work done, up to ``total``."""

    def following(self) -> AbstractContextManager[Any]:
        """A ``rich``-like progress for work that describes its own steps."""
