"""Tables of texts: a line each, with a label and a text. Tab-separated without quoting, or CSV with it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgecnn.errors import EdgecnnError

LABEL_COLUMNS = ("label", "class", "category")
TEXT_COLUMNS = ("text", "sms", "message", "sentence")

Row = tuple[int, list[str]]


@dataclass(frozen=True)
class Table:
    """Labels and texts in the order of the file.

    Attributes:
        labels: Of each text, without blanks around it.
        texts: As they stand in the file.
        lines: The number, from 1, of the line that each ends in.
    """

    labels: list[str]
    texts: list[str]
    lines: list[int]


def read_table(text: str, where: str, tabs: bool, header: bool = True) -> Table:
    """Labels and texts of a table.

    Args:
        text: The whole file.
        where: Its name, for messages.
        tabs: Columns stand between tabs, and a quote is a quote. Otherwise it is CSV (RFC 4180): a text with commas or
            line breaks stands between quotes, in which two quotes are one.
        header: The first line names the columns; without it they are label and text.

    Raises:
        EdgecnnError: The columns are not there, a line has another number of them, or a label or text is empty.
    """
    rows = _tab_rows(text) if tabs else _csv_rows(text, where)
    names: Sequence[str] = ("label", "text")
    if header:
        _, names = next(rows, (0, []))
    label, body = _columns(names, where)
    found = Table([], [], [])
    for line, fields in rows:
        if len(fields) != len(names):
            between = "tabs" if tabs else "commas, with texts that have commas between quotes"
            raise EdgecnnError(
                f"{where}:{line}: {len(fields)} columns, expected are {len(names)} ({', '.join(names)}). Columns stand "
                f"between {between}: correct this line."
            )
        for column, name in ((label, "label"), (body, "text")):
            if not fields[column].strip():
                raise EdgecnnError(f"{where}:{line}: the {name} is empty. Fill it in, or remove the line.")
        found.labels.append(fields[label].strip())
        found.texts.append(fields[body])
        found.lines.append(line)
    if not found.texts:
        raise EdgecnnError(f"{where}: no texts in it. Expected a line with a label and a text for each.")
    return found


def _columns(names: Sequence[str], where: str) -> tuple[int, int]:
    """The places of label and text among the columns' names."""
    known = [name.strip().lower() for name in names]
    places = []
    for allowed in (LABEL_COLUMNS, TEXT_COLUMNS):
        here = [index for index, name in enumerate(known) if name in allowed]
        if len(here) != 1:
            shown = ", ".join(name if len(name) <= 30 else f"{name[:29]}…" for name in names[:6]) or "nothing"
            raise EdgecnnError(
                f"{where}:1: {'no' if not here else 'more than one'} column named {' or '.join(allowed)}; found: "
                f"{shown}. The first line names the columns, for example: label, text."
            )
        places.append(here[0])
    return places[0], places[1]


def _tab_rows(text: str) -> Iterator[Row]:
    # Only these end a line: str.splitlines() would also break a text at other signs, such as U+0085.
    for number, line in enumerate(text.split("\n"), start=1):
        if line := line.removesuffix("\r"):
            yield number, line.split("\t")


def _csv_rows(text: str, where: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise EdgecnnError(
                f"{where}:{reader.line_num}: not CSV: {error}. Supported: columns between commas, quotes inside a "
                "quoted text written twice."
            ) from error
        if fields:
            yield reader.line_num, fields
