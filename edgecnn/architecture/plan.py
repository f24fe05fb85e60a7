"""What each letter of a notation becomes: its sizes from the settings, its output's shape from its input's.

No Keras here, so a mistake is found before anything heavy is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from edgecnn.architecture.notation import LETTERS, Step, read_notation, refuse
from edgecnn.architecture.settings import ArchitectureSettings, Padding
from edgecnn.errors import UsageError

CONVOLUTIONS, POOLS = "CS", "PA"
_MAPS = CONVOLUTIONS + POOLS + "G"
"""Letters that need maps, with their positions, for input."""

MAX_WEIGHTS = 500_000_000
"""Of one layer: five times those of VGG16's largest, and 2 GB. A slip in a size would fill the memory."""

SETTINGS: dict[str, tuple[str, Any]] = {
    # name: the letters that it is for, the default; ... for none
    "filters": (CONVOLUTIONS, ...),
    "kernels": (CONVOLUTIONS, 3),
    "strides": (CONVOLUTIONS, 1),
    "padding": (CONVOLUTIONS, "same"),
    "pool": (POOLS, 2),
    "dense": ("F", ...),
    "dropout": ("D", 0.5),
}


@dataclass(frozen=True)
class PlannedLayer:
    """A layer with its sizes.

    Attributes:
        letter: One of ``LETTERS``.
        at: Index of the letter in the notation.
        name: Of the Keras layer: what it is and which of its kind, from 1.
        units: Filters of a convolution, units of a dense layer; 0 for the classifier, whose units the data decides.
        window: Side of the window of a convolution or pooling.
        stride: Of a convolution or pooling.
        padding: Of a convolution; pooling drops what does not fill a window.
        rate: Share that dropout drops.
    """

    letter: str
    at: int
    name: str
    units: int = 0
    window: int = 0
    stride: int = 1
    padding: Padding = "valid"
    rate: float = 0.0


_NAMES = {
    "C": "conv",
    "S": "separable",
    "B": "norm",
    "R": "relu",
    "P": "pool",
    "A": "average",
    "G": "global",
    "D": "dropout",
    "F": "dense",
}
OUTPUT = "output"
"""Name of the last layer."""


def plan(text: str, settings: ArchitectureSettings) -> tuple[PlannedLayer, ...]:
    """The layers of a network, as far as they do not depend on the data.

    Args:
        text: The notation.
        settings: What stands beside it.

    Raises:
        UsageError: A character cannot be meant, layers are in an order that cannot be, or there are too few or too
            many values; the message marks the place.
    """
    steps = read_notation(text)
    _check_order(text, steps)
    values = {name: _values(text, steps, settings, name) for name in SETTINGS}
    numbers: dict[str, int] = {}
    layers = []
    for position, step in enumerate(steps):
        letter = step.letter
        numbers[letter] = numbers.get(letter, 0) + 1
        last = position == len(steps) - 1
        layer = PlannedLayer(letter, step.at, OUTPUT if last else f"{_NAMES[letter]}{numbers[letter]}")
        if letter in CONVOLUTIONS:
            units, window = next(values["filters"]), next(values["kernels"])
            stride, padding = next(values["strides"]), next(values["padding"])
            layer = replace(layer, units=units, window=window, stride=stride, padding=padding)
        elif letter in POOLS:
            side = next(values["pool"])
            layer = replace(layer, window=side, stride=side)
        elif letter == "D":
            layer = replace(layer, rate=next(values["dropout"]))
        elif letter == "F" and not last:
            layer = replace(layer, units=next(values["dense"]))
        layers.append(layer)
    return tuple(layers)


def check_architecture(text: str | None, section: Mapping[str, Any]) -> None:
    """Whether a recipe's ``[model]`` makes a network by itself, as far as that does not depend on the data.

    Args:
        text: Its ``architecture``, or None.
        section: Its other fields; what is missing had a mistake, which has been told.

    Raises:
        UsageError: The notation cannot be meant, or what stands beside it does not fit.
    """
    given = {name: section.get(name) for name in SETTINGS}
    if text is None:
        for name, value in given.items():
            if value is not None:
                raise UsageError(
                    f"model.{name} = {_shown(value)} belongs to model.architecture, which is not there. Write one, "
                    "such as '(CR)2P(CR)2PF', or remove it; what model.py takes goes into model.arguments."
                )
        return
    if section.get("arguments"):
        raise UsageError("model.arguments are for build() of model.py, and architecture takes its place. Remove one.")
    if section.get("base") is not None:
        raise UsageError("model.base is for a model.py that continues a trained network, not for an architecture.")
    if all(name in section for name in SETTINGS):
        plan(text, ArchitectureSettings(**given))


def _check_order(text: str, steps: tuple[Step, ...]) -> None:
    """Maps before vectors, and a classifier at the end."""
    vector: Step | None = None    # the layer that made one
    for step in steps:
        if vector is not None and step.letter in _MAPS:
            where = f"{LETTERS[vector.letter]} {vector.letter} (character {vector.at + 1})"
            refuse(
                text,
                step.at,
                f"{step.letter}, {LETTERS[step.letter]}, cannot come after the {where}, which leaves no maps. "
                f"Put {', '.join(_MAPS)} before G and F.",
            )
        if step.letter in "FG":
            vector = vector or step
    if steps[-1].letter != "F":
        refuse(text, steps[-1].at, f"the last layer is {steps[-1].letter}; it must be F, the classifier.")


def _values(text: str, steps: tuple[Step, ...], settings: ArchitectureSettings, name: str) -> Iterator[Any]:
    """The values of one setting, one for each layer that it is for."""
    letters, default = SETTINGS[name]
    users = [step for step in steps if step.letter in letters]
    if name == "dense":
        users.pop()    # the classifier
    what = " and ".join(letters) if name != "dense" else "F before the last"
    given = getattr(settings, name)
    if given is None:
        if users and default is ...:
            refuse(text, users[0].at, f"model.{name} is needed: {_how(name, users, what)}.")
        return iter([default] * len(users))
    if not users:
        raise UsageError(f"model.{name} = {_shown(given)}, but there is no {what} in {text!r}. Remove it.")
    if len(given) == 1:
        return iter(given * len(users))
    if len(given) < len(users):
        short = f"model.{name} has {len(given)} values, none for this {users[len(given)].letter}"
        refuse(text, users[len(given)].at, f"{short}: {_how(name, users, what)}.")
    if len(given) > len(users):
        surplus = f"model.{name} has {len(given)} values, and this is the last layer for them"
        refuse(text, users[-1].at, f"{surplus}: {_how(name, users, what)}.")
    return iter(given)


def _how(name: str, users: list[Step], what: str) -> str:
    if len(users) == 1:
        return f"give {name} one value, for the one {what}"
    return f"give {name} {len(users)} values, one for each {what}, or a single one for all"


def _shown(values: tuple[Any, ...]) -> str:
    return repr(values[0]) if len(values) == 1 else repr(list(values))


def output_size(size: int, window: int, stride: int = 1, padding: int = 0) -> int:
    """Outputs along one axis of a convolution or pooling: ``⌊(n + 2p − k) / s⌋ + 1``.

    Dumoulin and Visin 2016, A guide to convolution arithmetic for deep learning, relationship 6.

    Args:
        size: n, inputs along the axis.
        window: k, of the kernel or pool.
        stride: s.
        padding: p, zeros added at each end.

    Returns:
        0 where the window does not fit once.
    """
    return max(0, (size + 2 * padding - window) // stride + 1)


def shapes(
    text: str, layers: tuple[PlannedLayer, ...], input_shape: tuple[int, ...], outputs: int
) -> Iterator[tuple[int, ...]]:
    """The shape behind each layer, without the batch; maps are ``(H, W, C)`` or ``(T, C)``.

    Args:
        text: The notation, for messages.
        layers: Of ``plan``.
        input_shape: Of one preprocessed sample.
        outputs: Units of the classifier.

    Raises:
        UsageError: The samples have no maps, a map becomes smaller than a window, or a layer has more weights than
            there is room for; the message marks the layer.
    """
    if len(input_shape) not in (2, 3):
        raise UsageError(
            f"architecture {text!r}: it is for images [H, W, C] and signals [T, C]; the data gives "
            f"{list(input_shape)}. Write a model.py for such data."
        )
    shape = input_shape
    for layer in layers:
        if (weights := _weights(layer, shape)) > MAX_WEIGHTS:
            found = f"{layer.name} would have {weights:,} weights on an input of {'×'.join(map(str, shape))}"
            refuse(text, layer.at, f"{found}; at most {MAX_WEIGHTS:,}. Pool before, or choose smaller sizes.")
        if layer.letter in CONVOLUTIONS + POOLS:
            sides = tuple(_side(side, layer) for side in shape[:-1])
            if min(sides) < 1:
                small = "×".join(map(str, shape[:-1]))
                window = "×".join([str(layer.window)] * len(sides))
                refuse(
                    text,
                    layer.at,
                    f"{layer.name}: a window of {window} does not fit into maps of {small}. Pool less before, choose "
                    "padding 'same' or a smaller window.",
                )
            shape = (*sides, layer.units or shape[-1])
        elif layer.letter == "G":
            shape = shape[-1:]
        elif layer.letter == "F":
            shape = (outputs if layer.name == OUTPUT else layer.units,)
        yield shape


def _weights(layer: PlannedLayer, shape: tuple[int, ...]) -> int:
    """Of a convolution or dense layer behind the shape; biases are few."""
    if layer.letter == "C":
        return int(layer.window ** (len(shape) - 1)) * shape[-1] * layer.units
    return prod(shape) * layer.units if layer.letter == "F" else 0


def _side(size: int, layer: PlannedLayer) -> int:
    if layer.padding == "same":
        return -(-size // layer.stride)    # as TensorFlow pads: so much that every stride-th input has an output
    return output_size(size, layer.window, layer.stride)
