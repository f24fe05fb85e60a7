"""Errors of the compiler: one sentence or two that name the place, what was found and what is supported."""

from __future__ import annotations


class ModelError(Exception):
    """The model file cannot be read or holds something that is not supported."""
