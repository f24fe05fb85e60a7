"""What the tests of several families of operators share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import pytest

from firmware_export.errors import ModelError
from firmware_export.ops import check_graph
from firmware_export.tflite import read_model

Case = TypeVar("Case")


def refusal(data: bytes) -> str:
    """What the compiler says of a network that it does not take."""
    with pytest.raises(ModelError) as caught:
        check_graph(read_model(data, "net"))
    return str(caught.value)


def taken(cases: Sequence[Case], network: Callable[[list[Case]], bytes]) -> list[Case]:
    """Those whose networks the compiler takes."""
    kept = []
    for case in cases:
        try:
            check_graph(read_model(network([case])))
        except ModelError:
            continue
        kept.append(case)
    return kept


def int8_sample(random: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Values of int8; now and then only the ends."""
    return integer_sample(random, shape, np.int8)


def integer_sample(random: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Any:
    """Values of a whole-number type; now and then only the ends."""
    ends = np.iinfo(dtype)
    if random.random() < 0.2:
        return random.choice(np.array([ends.min, ends.max], dtype), shape)
    return random.integers(ends.min, ends.max + 1, shape).astype(dtype)
