"""The files through which a measurement hands samples to its process and gets classes back."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgecnn.errors import EdgecnnError


@contextlib.contextmanager
def writing_temporary() -> Iterator[None]:
    """Turn a refusal to write below the folder for temporary files into one sentence.

    Raises:
        EdgecnnError: In place of an ``OSError``.
    """
    try:
        yield
    except OSError as error:
        # NumPy tells of a disk that filled up while an array was written without an error number.
        reason = os.strerror(error.errno) if error.errno else "no space left"
        where = f" {error.filename}" if error.filename else ""
        raise EdgecnnError(
            f"cannot write the temporary file{where}: {reason}. Free some space there, or set the environment "
            "variable TMPDIR to a folder with room for the test samples."
        ) from error


def save_array(path: Path, array: np.ndarray) -> None:
    """Write an array to a temporary ``.npy``.

    Raises:
        EdgecnnError: There is no room for all of it.
    """
    with writing_temporary():
        np.save(path, array)
        # NumPy closes the file without looking whether its last block could be written.
        if path.stat().st_size < array.nbytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for temporary files, removed afterwards with all that is in it.

    Raises:
        EdgecnnError: None can be made.
    """
    with contextlib.ExitStack() as stack:
        with writing_temporary():
            name = stack.enter_context(tempfile.TemporaryDirectory(prefix="edgecnn-bench-"))
        yield Path(name)
