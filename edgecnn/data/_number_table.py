"""CSV files of numbers: a line for each instant, a column for each channel."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass

import numpy as np

from edgecnn.errors import EdgecnnError, first_line

DELIMITERS = (";", "\t", ",")
"""The first of these in the first line separates the columns: where ; does, a comma may be a decimal one."""


@dataclass(frozen=True)
class NumberTable:
    """What a file holds.

    Attributes:
        names: Of the columns, as the first line gives them; empty where it is a line of numbers.
        values: float64 ``[rows, columns]``, in the order of the file, all finite.
    """

    names: tuple[str, ...]
    values: np.ndarray


def read_number_table(data: bytes, where: str) -> NumberTable:
    """A CSV file with or without a line of column names; separated by ``,``, ``;`` or tabs, decimals with a point.

    Args:
        data: The file, UTF-8.
        where: Its name, for messages.

    Raises:
        EdgecnnError: It is no text, empty, ragged, or a cell is no finite number; the message gives file and line.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EdgecnnError(f"{where}: not UTF-8 text (byte {error.start}). Save it as CSV in UTF-8.") from error
    start, first = next(((number, line) for number, line in enumerate(text.splitlines()) if line.strip()), (0, ""))
    if not first:
        raise EdgecnnError(f"{where}: an empty file. Expected a line for each instant. Remove it, or get it again.")
    delimiter = next((sign for sign in DELIMITERS if sign in first), ",")
    cells = _cells(first, delimiter, f"{where}:{start + 1}")
    # One number in it makes the first line one of data, so that a typing error there is found and not taken for names.
    names = () if any(_is_number(cell) for cell in cells) else tuple(cell.strip() for cell in cells)
    skipped = start + bool(names)
    if not any(line.strip() for line in text.splitlines()[skipped:]):
        raise EdgecnnError(f"{where}: a line of column names and no numbers under it. Remove it, or get it again.")
    try:
        values = np.loadtxt(
            io.StringIO(text), delimiter=delimiter, skiprows=skipped, ndmin=2, comments=None, quotechar='"'
        )
    except ValueError as error:
        raise _fault(text, where, delimiter, skipped, len(cells)) or EdgecnnError(
            f"{where}: not a table of numbers ({first_line(error)})."
        ) from error
    if values.shape[1] != len(cells) or not np.isfinite(values).all():
        raise _fault(text, where, delimiter, skipped, len(cells)) or EdgecnnError(f"{where}: not a table of numbers.")
    return NumberTable(names, values)


def _fault(text: str, where: str, delimiter: str, skipped: int, columns: int) -> EdgecnnError | None:
    """What is wrong with the first bad line; slower than NumPy's reader, which does not say it."""
    for number, line in enumerate(text.splitlines(), start=1):
        if number <= skipped or not line.strip():
            continue
        cells = _cells(line, delimiter, f"{where}:{number}")
        if len(cells) != columns:
            return EdgecnnError(
                f"{where}:{number}: {len(cells)} columns, the first line has {columns}. "
                "All lines need as many: mend the file, or remove it."
            )
        for place, cell in enumerate(cells, start=1):
            if not _is_number(cell):
                hint = " Write decimals with a point." if "," in cell else ""
                return EdgecnnError(
                    f"{where}:{number}: column {place} is {_shown(cell)}, expected is a number.{hint} "
                    "Mend the line, or remove it."
                )
    return None


def _cells(line: str, delimiter: str, where: str) -> list[str]:
    """One line's cells.

    Raises:
        EdgecnnError: Python's reader refuses it: a cell is too long, or holds a byte that stands in no text.
    """
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error as error:
        raise EdgecnnError(f"{where}: not a line of numbers ({error}). Mend the file, or remove it.") from error


def _is_number(cell: str) -> bool:
    """Whether NumPy's reader takes it for a finite number; Python's also takes 1_000."""
    try:
        return math.isfinite(float(cell)) and "_" not in cell
    except ValueError:
        return False


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else cell[:37] + "...") if cell.strip() else "empty"
