"""Where data sets lie on a machine, and the download through Keras that comes last."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from typing import Any

from edgecnn.data.base import DataSetInfo
from edgecnn.errors import EdgecnnError
from edgecnn.files import is_there
from edgecnn.keras_quiet import import_keras, quiet_native

# What a user of the library may listen to; the command line shows it as a remark, and not with --quiet.
log = logging.getLogger(__name__)

# How long a download may be silent, in seconds: enough for a slow line, too short to be taken for a hang.
_TIMEOUT = 15.0


def data_root() -> Path | None:
    """``$EDGECNN_DATA``, where it is set."""
    text = os.environ.get("EDGECNN_DATA")
    return Path(text).expanduser() if text else None


def keras_home() -> Path:
    """Keras's own folder: ``$KERAS_HOME`` or ``~/.keras``."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")


def keras_load(info: DataSetInfo, name: str, megabytes: int) -> Any:
    """What ``keras.datasets.<name>.load_data()`` gives; it downloads where Keras's cache does not hold the set.

    Args:
        info: The set, for messages.
        name: Module in ``keras.datasets``.
        megabytes: Size of the download.

    Raises:
        EdgecnnError: Keras is not installed, or cannot download it; the message names the ways to get the set.
    """
    ways = "; ".join(info.get)
    missing = f"{info.title} is not on this machine"
    if (root := data_root()) is not None and not is_there(root):
        missing += f" (EDGECNN_DATA={root}: no such folder)"
    try:
        keras = import_keras(f"downloading {info.title}")
    except EdgecnnError as error:
        raise EdgecnnError(f"{missing}. Ways to get it: {ways}. ({error})") from error
    log.info("Downloading %s (%d MB) into %s", info.title, megabytes, keras_home() / "datasets")
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT)
    try:
        with quiet_native():
            return getattr(keras.datasets, name).load_data()
    except Exception as error:    # Keras raises bare Exception for network errors
        reason = " ".join(str(error).replace("None -- ", "").split())
        raise EdgecnnError(f"{missing}, and Keras could not download it ({reason}). Ways to get it: {ways}.") from error
    finally:
        socket.setdefaulttimeout(before)


def not_where_expected(info: DataSetInfo) -> EdgecnnError:
    """What to raise when Keras downloaded a set and it is not in its cache."""
    return EdgecnnError(
        f"Keras downloaded {info.title}, but not into {keras_home()}: is that folder writable? "
        f"Set KERAS_HOME to one that is. Other ways to get it: {'; '.join(info.get)}."
    )
