"""Layers that stand in for Keras's 3-D ones against these, and the whole way to C."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.keras_lowering import LOWERINGS, lowered
from edgecnn.keras_quiet import import_keras

pytestmark = pytest.mark.slow

SHAPE = (5, 7, 6, 2)
TOLERANCE = 1e-5    # float32, sums of up to a few hundred products in another order


def keras() -> Any:
    """Imported when a test runs: collecting them must cost nothing."""
    return import_keras("the test")


def layers() -> Any:
    return keras().layers


def with_random_weights(model: Any, seed: int = 0) -> Any:
    """Weights of deviation 0.5, those of a batch normalization around 1: nothing cancels out."""
    generator = np.random.default_rng(seed)
    for variable in model.variables:
        values = generator.normal(size=variable.shape) * 0.5
        variable.assign(np.abs(values) + 0.5 if "variance" in variable.name or "gamma" in variable.name else values)
    return model


def single(model: Any) -> Any:
    shape = tuple(model.input_shape[1:])
    return lowered(model, keras().Input(batch_shape=(1, *shape)))


def difference(model: Any) -> float:
    """Largest difference of the outputs on a random sample, relative where they exceed 1."""
    x = np.random.default_rng(1).normal(size=(1, *model.input_shape[1:])).astype(np.float32)
    before = np.asarray(model(x, training=False))
    after = np.asarray(single(model)(x, training=False))
    assert before.shape == after.shape
    return float(np.abs(before - after).max() / max(1.0, np.abs(before).max()))


def sequential(*parts: Any, shape: tuple[int, ...] = SHAPE) -> Any:
    return with_random_weights(keras().Sequential([keras().Input(shape), *parts]))


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("kernel", "strides", "dilation"),
    [
        ((3, 3, 3), (1, 1, 1), (1, 1, 1)),
        ((3, 3, 3), (2, 2, 2), (1, 1, 1)),
        ((1, 3, 2), (1, 3, 1), (1, 1, 1)),     # frames apart, an uneven window
        ((5, 1, 1), (1, 1, 1), (1, 1, 1)),     # time alone, as long as the clip
        ((2, 2, 3), (3, 1, 2), (1, 1, 1)),     # frames that no window meets
        ((2, 3, 2), (1, 1, 1), (2, 2, 3)),
        ((1, 1, 1), (2, 4, 3), (1, 1, 1)),     # a stride longer than the window
    ],
)
def test_convolution(kernel: Any, strides: Any, dilation: Any, padding: str) -> None:
    options = {"strides": strides, "dilation_rate": dilation, "padding": padding, "activation": "tanh"}
    assert difference(sequential(layers().Conv3D(4, kernel, **options))) < TOLERANCE


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kind", ["MaxPooling3D", "AveragePooling3D"])
@pytest.mark.parametrize(
    ("size", "strides"),
    [((2, 2, 2), None), ((3, 3, 3), (2, 2, 2)), ((1, 7, 2), (1, 7, 1)), ((3, 1, 1), (1, 1, 1)), ((1, 2, 3), (2, 1, 3))],
)
def test_pooling(kind: str, size: Any, strides: Any, padding: str) -> None:
    assert difference(sequential(getattr(layers(), kind)(size, strides, padding=padding))) < TOLERANCE


@pytest.mark.parametrize("kind", ["GlobalMaxPooling3D", "GlobalAveragePooling3D"])
@pytest.mark.parametrize("keepdims", [False, True])
def test_global_pooling(kind: str, keepdims: bool) -> None:
    assert difference(sequential(getattr(layers(), kind)(keepdims=keepdims))) < TOLERANCE


def test_normalization_and_relu_go_into_the_convolution() -> None:
    model = sequential(
        layers().Conv3D(4, 3, use_bias=False), layers().BatchNormalization(epsilon=0.1), layers().ReLU(),
        layers().Conv3D(3, 2), layers().BatchNormalization(scale=False), layers().Activation("relu"),
    )    # fmt: skip
    assert difference(model) < TOLERANCE
    kinds = [type(layer).__name__ for layer in single(model).layers]
    assert kinds.count("FoldedNorm") == 4
    assert not {"BatchNormalization", "ReLU", "Activation"} & set(kinds)


def test_what_somebody_else_reads_too_stays() -> None:
    first = keras().Input(SHAPE)
    x = layers().Conv3D(2, 3, padding="same")(first)
    y = layers().BatchNormalization()(x)
    z = layers().Conv3D(2, 3, padding="same", activation="relu")(first)    # the activation stands before it
    z = layers().ReLU(max_value=0.5)(layers().BatchNormalization()(z))
    model = with_random_weights(keras().Model(first, layers().Add()([x, y, z])))
    assert difference(model) < TOLERANCE
    assert sum(type(layer).__name__ == "BatchNormalization" for layer in single(model).layers) == 2


def test_a_shared_layer_and_a_model_inside() -> None:
    first = keras().Input(SHAPE)
    parts = [layers().Conv3D(2, 3, padding="same"), layers().BatchNormalization()]
    inner = keras().Sequential([keras().Input(SHAPE), *parts])
    shared = layers().Conv3D(2, 3, padding="same")
    model = with_random_weights(keras().Model(first, layers().Concatenate()([inner(first), shared(shared(first))])))
    assert difference(model) < TOLERANCE


def test_a_model_without_such_layers_is_left_alone() -> None:
    model = keras().Sequential([keras().Input((8, 8, 1)), layers().Conv2D(2, 3), layers().Flatten()])
    assert single(model) is model


@pytest.mark.parametrize(
    ("options", "said"), [({"groups": 2}, "groups=2"), ({"data_format": "channels_first"}, "channels_first")]
)
def test_forms_that_nothing_stands_in_for(options: dict[str, Any], said: str) -> None:
    model = keras().Sequential([keras().Input((4, 4, 4, 4)), layers().Conv3D(4, 1, name="mine", **options)])
    with pytest.raises(EdgecnnError, match=rf"layer 'mine': Conv3D with .*{said}.*cannot be made int8"):
        single(model)


def test_a_layer_of_the_user_s_own_is_not_taken_for_keras_s() -> None:
    class Conv3D(layers().Conv3D):    # type: ignore[misc, name-defined]
        def call(self, inputs: Any) -> Any:
            return -super().call(inputs)

    model = keras().Sequential([keras().Input(SHAPE), Conv3D(2, 3)])
    assert single(model) is model


def test_every_lowering_keeps_the_arguments_of_its_layer() -> None:
    import importlib

    for name, (module, kind) in LOWERINGS.items():
        assert issubclass(getattr(importlib.import_module(module), kind), getattr(layers(), name))


def test_int8_is_whole_and_the_same_in_c(tmp_path: Path) -> None:
    from edgecnn.quantization.convert import convert
    from firmware_export.tflite import read_model
    from tests.firmware_export.c_build import build
    from tests.networks import tflite_micro

    model = sequential(
        layers().Conv3D(4, 3, padding="same", use_bias=False), layers().BatchNormalization(), layers().ReLU(),
        layers().MaxPooling3D(2),
        layers().Conv3D(6, (2, 3, 3), strides=(1, 2, 2), padding="same", activation="relu"),
        layers().AveragePooling3D((1, 2, 2)),
        layers().GlobalAveragePooling3D(),
        layers().Dense(3, activation="softmax"),
        shape=(6, 12, 10, 1),
    )    # fmt: skip
    samples = np.random.default_rng(2).random((64, 6, 12, 10, 1), np.float32)
    data = convert(model, samples).int8_tflite    # which refuses a file that is not int8 throughout
    graph = read_model(data)
    convolutions = [graph.tensors[node.inputs[1]] for node in graph.nodes if node.op == "CONV_2D"]
    assert sorted(tensor.size for tensor in convolutions) == [27 * 4, 2 * 9 * 4 * 6]    # as many weights as in 3-D
    end = graph.tensors[graph.inputs[0]]
    assert end.quant is not None
    encoded = np.round(samples[:20] / end.quant.scale[0] + end.quant.zero_point[0]).clip(-128, 127).astype(np.int8)
    outputs = build(data, tmp_path).run_many([[sample[None]] for sample in encoded])[0]
    assert np.array_equal(outputs, np.stack([tflite_micro(data, sample[None])[0] for sample in encoded]))
    assert len(np.unique(outputs, axis=0)) > 1


def test_a_functional_model_gives_its_normalization_a_mask() -> None:
    given = keras().Input(SHAPE)
    value = layers().ReLU()(layers().BatchNormalization()(layers().Conv3D(2, 3)(given)))
    assert difference(with_random_weights(keras().Model(given, value))) <= TOLERANCE
