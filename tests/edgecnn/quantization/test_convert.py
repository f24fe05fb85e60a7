"""What a conversion refuses: numbers that are none, and samples that say too little. And what it says it folded."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from edgecnn.data import Samples
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.quantization.convert import Form, calibration_samples, convert


def network(between: Any = None) -> Any:
    """Two convolutions and a dense layer, with a function between the convolutions."""
    from keras import Input, Sequential, initializers, layers

    start = initializers.GlorotUniform(1)
    return Sequential([
        Input((8, 8, 1)),
        layers.Conv2D(4, 3, activation="relu", name="first", kernel_initializer=start),
        *([] if between is None else [layers.Activation(between, name="between")]),
        layers.Conv2D(4, 3, name="second", kernel_initializer=start),
        layers.Flatten(),
        layers.Dense(10, activation="softmax", name="scores", kernel_initializer=start),
    ])


def with_weights(value: float, **places: Any) -> Any:
    """Weights of these layers, at these places, are ``value``."""
    model = network()
    for name, place in places.items():
        kernel, bias = model.get_layer(name).get_weights()
        kernel[place] = value
        model.get_layer(name).set_weights([kernel, bias])
    return model


@pytest.mark.parametrize("scheme", ["int8", "int16x8", "dynamic", "float16"])
def test_weights_that_are_no_numbers_are_named(digits: np.ndarray, scheme: Any) -> None:
    model = with_weights(np.nan, first=0, second=(0, 0, 0, 1))
    with pytest.raises(EdgecnnError) as refused:
        convert(model, digits[:8], Form(scheme))
    said = str(refused.value)
    assert "2 weight(s)" in said and "clipnorm" in said
    assert "first/kernel (12 of 36 values)" in said and "second/kernel (1 of 144 values)" in said


@pytest.mark.parametrize("scheme", ["int8", "int16x8"])
def test_the_first_layer_that_overflows_is_named(digits: np.ndarray, scheme: Any) -> None:
    with pytest.raises(EdgecnnError, match=r"output of second\w* \(CONV_2D\) is infinite .*clipnorm"):
        convert(with_weights(1e29, first=..., second=...), digits[:8], Form(scheme))


def test_a_layer_whose_outputs_leave_nothing_of_others_is_named(digits: np.ndarray) -> None:
    """The converter writes a scale of 1e36 or one that is infinite, and reads its own file no more."""
    with pytest.raises(EdgecnnError, match=r"output of first\w* \(CONV_2D\) is as large as \d.\d+e\+3[67]"):
        convert(with_weights(1e36, first=...), digits[:8])


def test_an_infinite_activation_is_named_though_the_outputs_are_finite(digits: np.ndarray) -> None:
    """Behind the ReLU all is well, but the converter ended the process."""
    from keras import ops

    model = network(lambda values: ops.relu(ops.log(values)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")    # of NumPy, on the logarithm of 0
        assert np.isfinite(np.asarray(model(digits[:8]))).all()
    with pytest.raises(EdgecnnError, match=r"output of between\w* \(LOG\) is infinite .*logarithm"):
        convert(model, digits[:8])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_sample_that_holds_no_number_is_named(digits: np.ndarray, value: float) -> None:
    inputs = digits[:8].copy()
    inputs[3, 2, 1] = value
    with pytest.raises(EdgecnnError, match="sample 3 holds a value that is infinite or not a number"):
        convert(network(), inputs)


def test_without_samples_there_are_no_ranges(digits: np.ndarray) -> None:
    with pytest.raises(EdgecnnError, match="no samples to calibrate on"):
        convert(network(), digits[:0])
    assert convert(network(), digits[:0], Form("float16")).int8_tflite


def samples(*y: Any) -> Samples:
    return Samples(np.zeros((len(y), 8, 8, 1), np.uint8), np.array(y, np.int64))


def test_calibration_samples_of_one_class() -> None:
    with pytest.raises(UsageError, match="training split is empty"):
        calibration_samples(samples(), 8, seed=0)
    with pytest.raises(UsageError, match="all 3 training samples are of one class"):
        calibration_samples(samples(1, 1, 1), 8, seed=0)
    with pytest.raises(UsageError, match=r"on 1 of 5 training samples .* one of 3 classes.*--calibration"):
        calibration_samples(samples(0, 1, 1, 2, 2), 1, seed=0)
    assert len(calibration_samples(samples(0, 1, 1, 2, 2), 3, seed=0)) == 3
    assert len(calibration_samples(samples(1, 1, 1), 2, seed=0, one_class=True)) == 2
    masks = samples(*np.zeros((4, 8, 8), np.int64))
    assert len(calibration_samples(masks, 2, seed=0)) == 2


def test_folded_batch_norms_are_told(digits: np.ndarray) -> None:
    from keras import Input, Sequential, layers

    model = Sequential([
        Input((8, 8, 1)),
        layers.Conv2D(4, 3, activation="relu", name="first"),
        layers.BatchNormalization(name="norm"),
        layers.Conv2D(4, 3, name="second"),
    ])
    assert convert(model, digits[:8]).folded == ("norm into first and second",)
    assert convert(model, digits[:8], fold=False).folded == ()
    assert convert(network(), digits[:8]).folded == ()
