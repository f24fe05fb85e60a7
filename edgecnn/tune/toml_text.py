"""Documents as TOML text, which Python reads and does not write."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any


def toml_value(value: Any) -> str:
    """A value on one line: tables inline, as ``{ low = 1, high = 3 }``.

    Args:
        value: A string, integer, float, boolean, or a sequence or mapping of them.

    Raises:
        TypeError: TOML has no such value, ``None`` for one.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)    # the shortest text that reads as the same float; inf and nan are TOML's words too
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(name)} = {toml_value(inner)}" for name, inner in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(toml_value, value))}]"
    raise TypeError(f"{type(value).__name__} has no form in TOML")


def toml_document(document: Mapping[str, Any]) -> str:
    """A whole document: plain values first, then a ``[section]`` for each mapping, whose own mappings stand inline.

    Raises:
        TypeError: TOML has no such value.
    """
    plain = {name: value for name, value in document.items() if not isinstance(value, Mapping)}
    sections = {name: value for name, value in document.items() if isinstance(value, Mapping)}
    blocks = [_lines(plain)] if plain else []
    blocks += [f"[{_key(name)}]\n{_lines(section)}" for name, section in sections.items()]
    return "\n".join(blocks)


def _lines(section: Mapping[str, Any]) -> str:
    return "".join(f"{_key(name)} = {toml_value(value)}\n" for name, value in section.items())


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_value(name)
