"""The kernels that a network uses, as one text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "kernels"
_LOCAL_INCLUDE = re.compile(r'^#include "(\w+)\.h"\n', re.MULTILINE)


def kernels_file(stems: Iterable[str], folder: str = "portable") -> str:
    """The files of some kernels and of what they include, each once, before those that include them.

    Args:
        stems: Names of kernel files, without ``.h``.
        folder: The instruction set; a kernel that it has none of is portable.
    """
    texts: dict[str, str] = {}

    def collect(stem: str) -> None:
        if stem in texts:
            return
        own = FOLDER / folder / f"{stem}.h"
        text = (own if own.is_file() else FOLDER / "portable" / f"{stem}.h").read_text(encoding="utf-8")
        for included in _LOCAL_INCLUDE.findall(text):
            collect(included)
        texts[stem] = _LOCAL_INCLUDE.sub("", text)

    for stem in sorted(set(stems)):
        collect(stem)
    head = "/* The kernels that this network uses. Each has a guard of its own: two networks may share them. */\n"
    return "\n".join([head, *texts.values()])
