"""Convolutions whose maps read a part of the input maps, as in the networks of 1989 and 1998."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras


@keras.saving.register_keras_serializable(package="edgecnn")
class PartialConv2D(keras.layers.Layer):    # type: ignore[misc]
    """A 2-D convolution without bias, each group of output maps reading input maps of its own choice.

    LeCun et al. 1989, Backpropagation applied to handwritten zip code recognition, Neural Computation 1(4), section
    3.2: layer H2 has 12 maps, each connected to 8 of the 12 maps of H1; the connections that are missing are neither
    stored nor computed. A grouped convolution is the special case in which no input map is read twice.

    Input ``[N, H, W, C]``, output ``[N, H', W', sum of the groups' filters]``, maps in the order of the groups. It
    becomes slices of channels, one CONV_2D a group and a CONCATENATION.

    Args:
        inputs: For each group the indices of the input maps that it reads, from 0.
        filters: Number of output maps of each group.
        kernel_size: Side of the square window.
        strides: Vertical and horizontal stride.
        padding: ``same`` or ``valid``, as in ``keras.layers.Conv2D``.
        kwargs: What every Keras layer takes.
    """

    def __init__(
        self,
        inputs: Sequence[Sequence[int]],
        filters: Sequence[int],
        kernel_size: int,
        strides: int = 1,
        padding: str = "same",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if len(inputs) != len(filters) or not all(inputs):
            raise ValueError(f"{len(inputs)} lists of inputs, {len(filters)} numbers of filters: give each group both")
        self.inputs_of_groups = [list(group) for group in inputs]
        self.filters, self.kernel_size, self.strides, self.padding = list(filters), kernel_size, strides, padding
        self.kernels: list[Any] = []

    def build(self, input_shape: Sequence[int | None]) -> None:
        """One kernel ``[side, side, inputs, filters]`` for each group."""
        channels = input_shape[-1] or 0
        for number, (group, filters) in enumerate(zip(self.inputs_of_groups, self.filters, strict=True)):
            if not 0 <= min(group) <= max(group) < channels:
                raise ValueError(f"group {number} reads the maps {group}; the input has {channels}, counted from 0")
            shape = (self.kernel_size, self.kernel_size, len(group), filters)
            self.kernels.append(self.add_weight(shape=shape, initializer="glorot_uniform", name=f"kernel{number}"))
        super().build(input_shape)

    def call(self, x: Any) -> Any:
        """The convolutions of all groups, side by side."""
        parts = [
            keras.ops.conv(_chosen(x, group), kernel, strides=self.strides, padding=self.padding)
            for group, kernel in zip(self.inputs_of_groups, self.kernels, strict=True)
        ]
        return parts[0] if len(parts) == 1 else keras.ops.concatenate(parts, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """What ``__init__`` was given."""
        own = {"inputs": self.inputs_of_groups, "filters": self.filters, "kernel_size": self.kernel_size}
        return {**super().get_config(), **own, "strides": self.strides, "padding": self.padding}


def _chosen(x: Any, channels: Sequence[int]) -> Any:
    """Some channels of ``x``: neighbours are one slice."""
    slices = [x[..., first:end] for first, end in _runs(channels)]
    return slices[0] if len(slices) == 1 else keras.ops.concatenate(slices, axis=-1)


def _runs(channels: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Stretches of consecutive numbers, as first and end: ``0 1 2 5 6`` gives ``(0, 3), (5, 7)``."""
    first = end = channels[0]
    for channel in channels:
        if channel != end:
            yield first, end
            first = channel
        end = channel + 1
    yield first, end
