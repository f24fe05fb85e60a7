"""Becomes a measuring process on the other machine (``edgecnn.bench.child``): sent as text, with Python's own modules.

The parameters came on standard input, and what follows them there is the protocol's: so it is this process that goes
on, with what is still in its buffer.
"""

from __future__ import annotations

import os
import sys
from typing import Any


def main(parameters: dict[str, Any]) -> None:
    """Run the measuring process.

    Args:
        parameters: ``folder`` of the harness.
    """
    sys.path[:0] = [os.path.join(parameters["folder"], name) for name in ("code", "lib")]
    print("EDGECNN ready", flush=True)
    from edgecnn.bench.child import main as child

    child()
