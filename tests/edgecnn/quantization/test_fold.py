"""Batch normalizations in every order: the same function, fewer operators, no less precise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgecnn.keras_quiet import import_keras
from edgecnn.quantization.convert import Converted, convert
from edgecnn.quantization.fold import Folded, folded
from edgecnn.quantization.improve import sqnr_db
from edgecnn.quantization.observe import activations
from firmware_export.tflite import read_model


def keras() -> Any:
    """Imported when a test runs: collecting them must cost nothing."""
    return import_keras("the test")


def layers() -> Any:
    return keras().layers


def norm(name: str = "norm") -> Any:
    return layers().BatchNormalization(name=name)


def conv(filters: int = 5, name: str = "first", **options: Any) -> Any:
    return layers().Conv2D(filters, 3, name=name, **options)


def with_random_weights(model: Any, negative: bool = False) -> Any:
    """Weights as those of a trained network: nothing is 0, and some factors are negative if wanted."""
    generator = np.random.default_rng(3)
    for variable in model.variables:
        values = generator.normal(size=variable.shape) * (0.3 if "kernel" in variable.path else 0.5)
        if "variance" in variable.path or "gamma" in variable.path:
            values = np.abs(values) + 0.3
        if negative and "gamma" in variable.path:
            values[::2] *= -1
        variable.assign(values)
    return model


def sequential(*parts: Any, shape: tuple[int, ...] = (9, 8, 3), negative: bool = False) -> Any:
    return with_random_weights(keras().Sequential([keras().Input(shape), *parts]), negative)


def checked(model: Any) -> tuple[Any, Folded]:
    """The folded model, whose outputs are the same."""
    before = [np.array(value) for value in model.get_weights()]
    found, what = folded(model)
    x = np.random.default_rng(1).normal(size=(4, *model.input_shape[1:])).astype(np.float32)
    expected, given = np.asarray(model(x, training=False)), np.asarray(found(x, training=False))
    assert expected.shape == given.shape
    assert np.abs(expected - given).max() <= 1e-5 * np.abs(expected).max()
    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))
    return found, what


def samples(model: Any, count: int = 64) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(count, *model.input_shape[1:])).astype(np.float32)


def operators(converted: Converted) -> Counter[str]:
    return Counter(node.op for node in read_model(converted.int8_tflite).nodes)


def precision(converted: Converted, inputs: np.ndarray) -> float:
    """Of the int8 file's outputs, in dB."""
    found = []
    for model in (converted.float_tflite, converted.int8_tflite):
        output = read_model(model).outputs[0]
        found.append(np.stack([values[output] for values in activations(model, inputs, [output])]))
    return sqnr_db(found[0], found[1])


ORDERS: dict[str, tuple[Callable[[], list[Any]], dict[str, int]]] = {
    "valid": (lambda: [conv(activation="relu"), norm(), conv(4, "second")], {}),
    "same": (lambda: [conv(activation="relu"), norm(), conv(4, "second", padding="same")], {"ADD": 1}),
    "relu layer": (lambda: [conv(), layers().ReLU(), norm(), layers().Dropout(0.2), conv(4, "second")], {}),
    "pool behind": (
        lambda: [conv(activation="relu"), norm(), layers().MaxPooling2D(2), conv(4, "second", padding="same")],
        {"ADD": 1},
    ),
    "pool in front": (
        lambda: [conv(activation="relu"), layers().AveragePooling2D(2), norm(), layers().Flatten(), layers().Dense(4)],
        {},
    ),
    "linear, pool, norm, relu": (
        lambda: [conv(), layers().MaxPooling2D(2), norm(), layers().ReLU(), layers().Flatten(), layers().Dense(4)],
        {},
    ),
    "flatten": (
        lambda: [conv(activation="relu"), norm(), layers().MaxPooling2D(2), layers().Flatten(), layers().Dense(4)],
        {},
    ),
    "global pool": (
        lambda: [conv(activation="relu"), norm(), layers().GlobalAveragePooling2D(), layers().Dense(4)],
        {},
    ),
    "relu6": (lambda: [conv(activation="relu6"), norm(), layers().DepthwiseConv2D(3), layers().Flatten()], {}),
    "separable": (
        lambda: [conv(activation="relu6"), norm(), layers().SeparableConv2D(4, 3, depth_multiplier=2)],
        {},
    ),
    "zero padding": (
        lambda: [conv(activation="relu"), norm(), layers().ZeroPadding2D(1), conv(4, "second")],
        {"ADD": 1},
    ),
    "input": (lambda: [norm(), conv(), layers().Flatten(), layers().Dense(3)], {}),
    "dense": (lambda: [layers().Flatten(), layers().Dense(9, "relu"), norm(), layers().Dense(4)], {}),
    "softmax": (lambda: [conv(activation="relu"), norm(), layers().Softmax()], {"ADD": 1}),
}  # fmt: skip
"""What stands in which order, and how many additions stay; never a multiplication."""


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_is_folded(order: str) -> None:
    make, expected = ORDERS[order]
    _, what = checked(sequential(*make()))
    assert [one.name for one in what.done] == ["norm"] and not what.stayed
    assert what.done[0].added == ("ADD" in expected)


@pytest.mark.parametrize("order", ["valid", "same", "flatten", "input"])
def test_the_int8_file_has_fewer_operators_and_is_no_less_precise(order: str) -> None:
    make, expected = ORDERS[order]
    model = sequential(*make())
    inputs = samples(model)
    before, after = convert(model, inputs, fold=False), convert(model, inputs)
    left = operators(after)
    assert left["MUL"] == 0 and left["ADD"] == expected.get("ADD", 0)
    assert sum(left.values()) < sum(operators(before).values())
    # What rounds less often is no less precise; the draw of the roundings itself is worth less than 1 dB.
    assert precision(after, inputs) > precision(before, inputs) - 1


def test_an_addition_stands_behind_the_pool_where_there_are_fewer_values() -> None:
    make, _ = ORDERS["pool behind"]
    model = sequential(*make())
    nodes = read_model(convert(model, samples(model)).int8_tflite).nodes
    assert [node.op for node in nodes] == ["CONV_2D", "MAX_POOL_2D", "ADD", "CONV_2D"]


@pytest.mark.parametrize(("padding", "added"), [("valid", False), ("same", True)])
def test_negative_factors_go_on(padding: str, added: bool) -> None:
    model = sequential(conv(activation="relu"), norm(), conv(4, "second", padding=padding), negative=True)
    _, what = checked(model)
    assert [(one.into, one.added) for one in what.done] == [(("first", "second"), added)]


def test_negative_factors_do_not_pass_a_maximum() -> None:
    parts = conv(activation="relu"), norm(), layers().MaxPooling2D(2, name="pool"), conv(4, "second")
    model = sequential(*parts, negative=True)
    found, what = checked(model)
    assert found is model and not what.done
    assert [(one.name, one.why) for one in what.stayed] == [
        ("norm", "pool (MaxPooling2D) behind it takes a maximum, which negative factors do not pass")
    ]


def two_readers(joined_to_norm: bool, bounded: bool = False) -> Any:
    """A residual block; the addition reads the normalization too if wanted."""
    entry = keras().Input((9, 8, 3))
    x = norm()(conv(activation="relu6" if bounded else "relu")(entry))
    first = conv(4, "second", padding="same")(x)
    other = x if joined_to_norm else layers().Conv2D(4, 1, name="third")(x)
    if joined_to_norm:
        first = layers().Conv2D(5, 1, name="back")(first)
    return with_random_weights(keras().Model(entry, layers().Add(name="sum")([first, other])))


def test_several_readers_all_take_it_in() -> None:
    _, what = checked(two_readers(joined_to_norm=False))
    assert what.done[0].into == ("first", "second", "third") and what.done[0].added


def test_where_one_reader_cannot_the_factor_still_goes_back() -> None:
    _, what = checked(two_readers(joined_to_norm=True))
    assert what.done[0].into == ("first",) and what.done[0].added


def test_where_one_reader_cannot_and_no_way_leads_back_it_stays() -> None:
    model = two_readers(joined_to_norm=True, bounded=True)
    found, what = checked(model)
    assert found is model and not what.done
    assert what.stayed[0].why.startswith("sum (Add) behind it has several inputs")


def test_several_normalizations_share_a_convolution() -> None:
    parts = [norm("at_input"), conv(activation="relu"), norm("one"), conv(4, "second", activation="relu"), norm("two")]
    _, what = checked(sequential(*parts, layers().Flatten(), layers().Dense(3, name="scores")))
    assert [one.into for one in what.done] == [("first",), ("first", "second"), ("second", "scores")]


def test_models_inside_are_folded() -> None:
    inner = keras().Sequential([keras().Input((9, 8, 3)), conv(activation="relu"), norm(), conv(4, "second")])
    entry = keras().Input((9, 8, 3))
    _, what = checked(with_random_weights(keras().Model(entry, layers().Flatten()(inner(entry)))))
    assert [one.into for one in what.done] == [("first", "second")]


def test_what_the_converter_takes_in_is_left_to_it() -> None:
    for model in (
        sequential(conv(), norm(), layers().ReLU(), conv(4, "second")),
        sequential(norm(), layers().Dropout(0.1), layers().Dense(4), shape=(7,)),
    ):
        assert folded(model) == (model, Folded())


def test_a_layer_that_is_called_twice_stays_as_it_is() -> None:
    entry = keras().Input((9, 8, 3))
    shared = conv(3, "shared", padding="same", activation="relu6")
    model = with_random_weights(keras().Model(entry, shared(norm()(shared(entry)))))
    found, what = checked(model)
    assert found is model and "called more than once" in what.stayed[0].why


def test_a_subclass_is_not_what_it_looks_like() -> None:
    class Other(layers().Conv2D):    # type: ignore[misc]
        pass

    model = sequential(norm(), Other(4, 3))
    assert folded(model)[0] is model


def test_the_folded_model_can_be_saved(tmp_path: Any) -> None:
    found, _ = checked(sequential(*ORDERS["same"][0]()))
    found.save(tmp_path / "model.keras")
    again = keras().models.load_model(tmp_path / "model.keras")
    x = samples(found, 2)
    assert np.array_equal(np.asarray(found(x)), np.asarray(again(x)))
