"""Keras layers for what Keras's own do not convert to int8: importing this package registers them with Keras.

It imports Keras, so nothing on the way to ``edgecnn --help`` may import it.
"""

from __future__ import annotations

__all__: list[str] = []
