"""What this machine has, as far as the system tells."""

from __future__ import annotations

import os


def memory_bytes() -> int | None:
    """Physical memory in bytes, or None where the system does not tell (Windows has no ``sysconf``)."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
