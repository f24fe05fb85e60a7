"""Keras between two trainings of one process."""

from __future__ import annotations

import os
import signal
import weakref
from types import SimpleNamespace
from typing import Any

import pytest

from edgecnn import keras_quiet


def test_ctrl_c_is_not_lost_while_a_session_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a garbage collection: what a weak reference's callback raises is printed and dropped."""
    done = []

    class Thing:
        """Can be referred to weakly."""

    def clear() -> None:
        thing = Thing()
        reference = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
        del thing
        done.append(reference)

    def keras(*_: Any) -> Any:
        return SimpleNamespace(backend=SimpleNamespace(clear_session=clear))

    monkeypatch.setattr(keras_quiet, "import_keras", keras)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        keras_quiet.fresh_session()
    assert len(done) == 1
    assert signal.getsignal(signal.SIGINT) is before
