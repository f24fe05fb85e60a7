"""Nodes of a ``.tflite`` as Keras layers, so that a network that was converted can be trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edgecnn.layers.fake_quantization import rounded_weights
from edgecnn.layers.graph_functions import ACTIVATIONS, FUNCTIONS, SEVERAL, Call


@keras.saving.register_keras_serializable(package="edgecnn")
class GraphOperation(keras.layers.Layer):    # type: ignore[misc]    # Keras has no types
    """One node without weights: a list of values ``[N, *shape of the file]`` to one such value, or a list.

    Args:
        op: TFLite's name of the operator, one of ``graph_functions.FUNCTIONS``.
        options: Of the node, by the schema's names.
        operands: The node's inputs in order: ``"value"`` for the next one of those that the layer is called with,
            ``"absent"``, an integer or nested lists of them, or ``{"shape": [...]}`` for a constant of real numbers,
            which becomes a weight that is not trained.
        shapes: Of the node's outputs, as in the file.
        number: Type of the outputs.
        kwargs: What every Keras layer takes.
    """

    def __init__(
        self,
        op: str,
        options: dict[str, Any],
        operands: Sequence[Any],
        shapes: Sequence[Sequence[int]],
        number: str = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.op, self.options, self.operands = op, dict(options), list(operands)
        self.shapes, self.number = [list(shape) for shape in shapes], number
        self.constants: list[Any] = []

    def build(self, input_shape: Any) -> None:
        """A weight for each constant of real numbers."""
        del input_shape
        for place, operand in enumerate(self.operands):
            if isinstance(operand, dict):
                shape, name = tuple(operand["shape"]), f"constant_{place}"
                self.constants.append(self.add_weight(shape=shape, initializer="zeros", trainable=False, name=name))
        self.built = True

    def call(self, values: Sequence[Any]) -> Any:
        """What the node computes."""
        flowing, constants = iter(values), iter(self.constants)

        def operand(described: Any) -> Any:
            if isinstance(described, dict):
                return tf.convert_to_tensor(next(constants))[tf.newaxis]
            return next(flowing) if described == "value" else None if described == "absent" else described

        return FUNCTIONS[self.op](Call(self.options, self.shapes), *map(operand, self.operands))

    def compute_output_spec(self, values: Sequence[Any]) -> Any:
        """The file knows all shapes, so nothing is traced to find them."""
        del values
        found = [keras.KerasTensor((None, *shape), self.number) for shape in self.shapes]
        return found if self.op in SEVERAL else found[0]

    def get_config(self) -> dict[str, Any]:
        """What ``__init__`` was given."""
        names = ("op", "options", "operands", "shapes", "number")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="edgecnn")
class WeightedOperation(GraphOperation):
    """One node with weights, in the layout of the file, and perhaps a bias; both are trained.

    A network that learns adds the bias as a real number: as an int32 of ``scale of the input * scale of the weights``
    it is finer than the steps of the output by a factor of hundreds. Otherwise sums are rounded to the integers that
    the kernels have.

    Args:
        kernel_shape: Of the weights.
        bias_shape: Of the bias; None where there is none.
        rounded: Whether the weights are rounded to int8.
        summed: Whether the input is quantized too, so that the kernel's sums are integers: then the scale of the input,
            a scalar, is the last of what the layer is called with, and the real size of 1 in the sums
            ``[output channels]``, or ``[1]``, comes behind the output.
        axis: The dimension along which weights have scales of their own; None for one scale.
        learned: Which of the two are trained.
        units: What 1 means in the variables that hold weights and bias. Adam's steps are as large as its rate, whatever
            the size of a weight, and weights behind raw pixels are a hundredth of the usual: in units of their own they
            move by the same part of themselves. Powers of two, so that no value is rounded by it.
        kwargs: As for ``GraphOperation``; in ``operands`` weights and bias are ``"weights"`` and ``"bias"``.
    """

    def __init__(
        self,
        kernel_shape: Sequence[int],
        bias_shape: Sequence[int] | None,
        rounded: bool,
        summed: bool,
        axis: int | None,
        learned: Sequence[str] = ("weights", "bias"),
        units: Sequence[float] = (1.0, 1.0),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_shape, self.rounded, self.summed, self.axis = list(kernel_shape), rounded, summed, axis
        self.bias_shape, self.learned = bias_shape if bias_shape is None else list(bias_shape), list(learned)
        self.units = list(units)
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        """Weights and bias."""
        super().build(input_shape)
        self.kernel = self.add_weight(
            shape=tuple(self.kernel_shape), initializer="zeros", trainable="weights" in self.learned, name="kernel"
        )
        if self.bias_shape is not None:
            self.bias = self.add_weight(
                shape=tuple(self.bias_shape), initializer="zeros", trainable="bias" in self.learned, name="bias"
            )

    def assign(self, weights: np.ndarray, bias: np.ndarray | None) -> None:
        """Set the real weights and the real bias."""
        self.kernel.assign(weights / self.units[0])
        if bias is not None:
            self.bias.assign(bias / self.units[1])

    def real(self) -> tuple[np.ndarray, np.ndarray | None]:
        """The real weights and the real bias."""
        bias = None if self.bias is None else np.array(self.bias) * np.float32(self.units[1])
        return np.array(self.kernel) * np.float32(self.units[0]), bias

    def call(self, values: Sequence[Any], training: bool = False) -> Any:
        """The sums after the fused activation, and how much 1 in them is."""
        weights, scales = tf.convert_to_tensor(self.kernel) * self.units[0], None
        if self.rounded:
            weights, scales = rounded_weights(weights, self.axis)
        flowing = list(values[:-1] if self.summed else values)
        bias = 0.0 if self.bias is None else tf.convert_to_tensor(self.bias) * self.units[1]
        held = {"weights": weights, "bias": None, "absent": None}
        operands = [
            flowing.pop(0) if one == "value" else held[one] if isinstance(one, str) else one for one in self.operands
        ]
        call = Call({**self.options, "fused_activation_function": "NONE"}, self.shapes)
        sums, activation = FUNCTIONS[self.op](call, *operands), ACTIVATIONS[self.options["fused_activation_function"]]
        if not self.summed:
            return activation(sums + bias)
        steps = tf.stop_gradient(tf.cast(values[-1], tf.float64) * tf.cast(scales, tf.float64))
        if not training:
            one, added = tf.cast(steps, tf.float32), tf.round(tf.cast(bias, tf.float64) / steps)
            sums, bias = (tf.round(sums / one) + tf.cast(added, tf.float32)) * one, 0.0
        return [activation(sums + bias), steps]

    def compute_output_spec(self, values: Sequence[Any], training: bool = False) -> Any:
        """The output, and where sums are integers the size of 1 in them."""
        del training
        output = super().compute_output_spec(values)
        slices = 1 if self.axis is None else self.kernel_shape[self.axis]
        return [output, keras.KerasTensor((slices,), "float64")] if self.summed else output

    def get_config(self) -> dict[str, Any]:
        """What ``__init__`` was given."""
        names = ("kernel_shape", "bias_shape", "rounded", "summed", "axis", "learned", "units")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
