"""The kernels that a network uses, as one text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "kernels"
M_PROFILE = ("portable", "arm_dsp", "arm_mve")
"""Instruction sets of which an Arm Cortex-M with Helium can execute all."""

NO_VECTORS = """\
#if defined(__ARM_FEATURE_MVE) && defined(__GNUC__) && !defined(__clang__)
/* gcc 12 makes vectors of Helium out of loops whose conditions it knows the results of, such as whether a row of the
 * image exists, and gets the predicate wrong: it would read rows that are not there. */
#pragma GCC push_options
#pragma GCC optimize("no-tree-vectorize", "no-tree-slp-vectorize")
#endif
"""
"""Before the first function of a network for such a processor."""

VECTORS_AGAIN = """\
#if defined(__ARM_FEATURE_MVE) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif
"""
"""After its last function."""

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
    guard = [NO_VECTORS] if folder in M_PROFILE else []
    return "\n".join([head, *guard, *texts.values()])
