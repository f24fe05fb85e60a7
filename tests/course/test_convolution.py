"""The notes' arithmetic of convolution: each example by hand first, then in every part of edgecnn that computes it.

None of the notes' results is wrong. What they leave out is said where it matters: the 4x4 image of the example with
stride 2 has the digits 0 to 9 and begins anew, and "convolution" means cross-correlation for images, while the example
on a signal holds for both because its kernel is the same turned around.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.architecture.plan import output_size, plan, shapes
from edgecnn.architecture.settings import ArchitectureSettings
from firmware_export.ops.window import axes
from firmware_export.passes import prepare, run_passes
from firmware_export.tflite import read_model
from tests.course.examples import (
    EXAMPLES,
    KERNEL,
    SIGNAL,
    SIGNAL_KERNEL,
    Example,
    as_inputs,
    as_network,
    by_hand,
    counting,
)
from tests.firmware_export.c_build import build
from tests.firmware_export.evaluation import evaluate
from tests.networks import Network, tflite_micro


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_worked_example_by_hand(example: Example) -> None:
    assert by_hand(example) == example.expected


def test_worked_examples_in_the_reference_in_tflite_micro_and_in_the_emitted_c(tmp_path: Path) -> None:
    data, inputs = as_network(EXAMPLES), as_inputs(EXAMPLES)
    ways = {
        "reference": evaluate(read_model(data), *inputs),
        "tflite micro": tflite_micro(data, *inputs, outputs=len(EXAMPLES)),
        "c": build(data, tmp_path, flags=("-O1",)).run(*inputs),
    }
    for way, results in ways.items():
        for example, result in zip(EXAMPLES, results, strict=True):
            assert np.array_equal(result[0, :, :, 0], example.wanted), (way, example.name)


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_worked_example_in_keras(example: Example) -> None:
    import keras

    layer = keras.layers.Conv2D(1, example.taps.shape[:2], strides=example.stride, use_bias=False)
    image = keras.Input(example.pixels.shape)
    model = keras.Model(image, layer(keras.layers.ZeroPadding2D(example.pad)(image)))
    layer.set_weights([example.taps[..., np.newaxis].astype(np.float32)])
    result = np.asarray(model(example.pixels[np.newaxis].astype(np.float32)))
    assert np.array_equal(result[0, :, :, 0], example.wanted)


# --- Signals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["valid", "same", "full"])
def test_modes_are_those_of_numpy(mode: Any) -> None:
    (expected,) = (example.expected[0] for example in EXAMPLES if example.name == f"signal-{mode}")
    assert np.convolve(SIGNAL, SIGNAL_KERNEL, mode).tolist() == expected
    n, k = len(SIGNAL), len(SIGNAL_KERNEL)
    assert len(expected) == {"valid": n - k + 1, "same": n, "full": n + k - 1}[mode]


@pytest.mark.slow
@pytest.mark.parametrize(("padding", "name"), [("valid", "signal-valid"), ("same", "signal-same")])
def test_modes_in_a_keras_conv1d(padding: str, name: str) -> None:
    import keras

    (expected,) = (example.expected[0] for example in EXAMPLES if example.name == name)
    signal = keras.Input((len(SIGNAL), 1))
    layer = keras.layers.Conv1D(1, 3, padding=padding, use_bias=False)
    model = keras.Model(signal, layer(signal))
    layer.set_weights([np.reshape(SIGNAL_KERNEL, (3, 1, 1)).astype(np.float32)])
    assert np.asarray(model(np.reshape(SIGNAL, (1, -1, 1)).astype(np.float32))).ravel().tolist() == expected


def test_a_network_cross_correlates_and_convolution_turns_the_kernel_around() -> None:
    kernel = [1, 2, 4]
    turned = kernel[::-1]
    signal = np.reshape(SIGNAL, (1, -1, 1))
    crossed = Example("as it stands", signal, np.reshape(kernel, (1, 3, 1)), [[-15, 8, 11, 4]])
    convolved = Example("turned", signal, np.reshape(turned, (1, 3, 1)), [[3, 2, -10, 19]])
    assert by_hand(crossed) == crossed.expected and by_hand(convolved) == convolved.expected
    assert np.correlate(SIGNAL, kernel, "valid").tolist() == crossed.expected[0]
    assert np.convolve(SIGNAL, kernel, "valid").tolist() == convolved.expected[0]
    both = (crossed, convolved)
    for result, example in zip(evaluate(read_model(as_network(both)), *as_inputs(both)), both, strict=True):
        assert np.array_equal(result[0, :, :, 0], example.wanted)


def test_convolution_commutes_and_cross_correlation_turns_the_result_around() -> None:
    one, other = [1, 2, -5, 4], [3, -1, 2]
    assert np.convolve(one, other).tolist() == np.convolve(other, one).tolist()
    assert np.correlate(one, other, "full").tolist() == np.correlate(other, one, "full")[::-1].tolist()


def test_autocorrelation_is_symmetric_and_largest_without_a_shift() -> None:
    found = np.correlate(SIGNAL, SIGNAL, "full").tolist()
    assert found == found[::-1]
    assert max(found) == found[len(SIGNAL) - 1] == sum(value * value for value in SIGNAL) == 51


# --- Convolution as a product with a matrix --------------------------------------------------------------------------


def matrix_of(kernel: np.ndarray, height: int, width: int) -> np.ndarray:
    """The matrix that a kernel ``[kh, kw]`` is for flattened images ``[height * width]``: sparse, weights repeated."""
    high, wide = kernel.shape
    rows, columns = height - high + 1, width - wide + 1
    matrix = np.zeros((rows, columns, height, width), np.int64)
    for y in range(rows):
        for x in range(columns):
            matrix[y, x, y : y + high, x : x + wide] = kernel
    return matrix.reshape(rows * columns, height * width)


def test_the_3x3_example_as_a_matrix() -> None:
    matrix = matrix_of(KERNEL[..., 0], 3, 3)
    assert matrix.tolist() == [
        [0, 1, 0, 2, 3, 0, 0, 0, 0],
        [0, 0, 1, 0, 2, 3, 0, 0, 0],
        [0, 0, 0, 0, 1, 0, 2, 3, 0],
        [0, 0, 0, 0, 0, 1, 0, 2, 3],
    ]
    assert (matrix @ np.arange(9)).tolist() == [19, 25, 37, 43]


def test_windows_as_the_rows_of_a_matrix() -> None:
    example = EXAMPLES[2]
    windows = np.array([example.pixels[y : y + 2, x : x + 2].ravel() for y in range(2) for x in range(2)])
    assert windows.shape == (4, 2 * 2 * 3)
    assert (windows @ example.taps.ravel()).tolist() == example.wanted.ravel().tolist()


def test_the_transposed_matrix_is_a_full_convolution_with_the_turned_kernel() -> None:
    """What the gradient of the input is: backpropagation through a convolution."""
    gradient = np.array([[1, -2], [3, 5]])
    back = Example("back", gradient[..., np.newaxis], KERNEL[::-1, ::-1], [[0, 1, -2], [2, 2, -1], [6, 19, 15]],
                   pad=(1, 1))    # fmt: skip
    assert by_hand(back) == back.expected
    assert (matrix_of(KERNEL[..., 0], 3, 3).T @ gradient.ravel()).reshape(3, 3).tolist() == back.expected
    (result,) = evaluate(read_model(as_network((back,))), *as_inputs((back,)))
    assert np.array_equal(result[0, :, :, 0], back.wanted)


@pytest.mark.slow
def test_the_gradient_that_training_uses_is_that_one() -> None:
    import keras
    import tensorflow as tf

    image = tf.constant(counting(3, 3, 9)[np.newaxis].astype(np.float32))
    kernel = tf.constant(KERNEL[..., np.newaxis].astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch([image, kernel])
        result = keras.ops.conv(image, kernel)
    above = tf.reshape(tf.constant([1.0, -2.0, 3.0, 5.0]), (1, 2, 2, 1))
    of_image, of_kernel = tape.gradient(result, [image, kernel], output_gradients=above)
    assert of_image.numpy()[0, :, :, 0].tolist() == [[0, 1, -2], [2, 2, -1], [6, 19, 15]]
    # That of the kernel is the image under the gradient as a kernel: 0·1 − 1·2 + 3·3 + 4·5, …
    assert of_kernel.numpy()[:, :, 0, 0].tolist() == [[27, 34], [48, 55]]
    assert by_hand(Example("kernel", counting(3, 3, 9), [[[1], [-2]], [[3], [5]]], [])) == [[27, 34], [48, 55]]


def test_the_compiler_makes_a_matrix_of_a_convolution_that_sees_the_whole_image(tmp_path: Path) -> None:
    made = Network()
    filters = np.array([[[0, 1, 2], [3, 4, 5], [6, 7, 8]], [[1, 0, -1], [0, 2, 0], [-3, 0, 1]]], np.int8)
    image = made.input((1, 3, 3, 1), 1.0)
    weights = made.constant(filters[..., np.newaxis], np.ones(2))
    options = {"padding": "VALID", "stride_h": 1, "stride_w": 1}
    data = made.pack(made.op("CONV_2D", [image, weights], (1, 1, 1, 2), 2.0, **options))
    assert [node.op for node in run_passes(prepare(read_model(data))).nodes] == ["FULLY_CONNECTED"]
    x = np.arange(9, dtype=np.int8).reshape(1, 3, 3, 1)
    # 0 + 1 + 4 + 9 + … + 64 = 204 and 0·1 − 2 + 8 − 18 + 8 = −4; the output's scale is 2.
    for result in (evaluate(read_model(data), x)[0], build(data, tmp_path, flags=("-O1",)).run(x)[0]):
        assert result.ravel().tolist() == [102, -2]


# --- Sizes -----------------------------------------------------------------------------------------------------------

SIZES = [
    (n, k, s, p)
    for n, k, s, p in itertools.product((1, 2, 5, 7, 8, 28), (1, 2, 3, 5), (1, 2, 3), (0, 1, 2))
    if n + 2 * p >= k
]


def test_output_sizes_in_the_compiler() -> None:
    for n, k, s, p in SIZES:
        made = Network()
        image = made.input((1, n + 2 * p, n + 2 * p, 1), 1.0)
        weights = made.constant(np.ones((1, k, k, 1), np.int8), np.ones(1))
        out = (n + 2 * p - k) // s + 1
        options = {"padding": "VALID", "stride_h": s, "stride_w": s}
        graph = read_model(made.pack(made.op("CONV_2D", [image, weights], (1, out, out, 1), 1.0, **options)))
        vertical, horizontal = axes(graph, graph.nodes[0], graph.tensors[0].shape, (k, k))
        assert vertical.out == horizontal.out == out == output_size(n, k, s, p) == len(range(0, n + 2 * p - k + 1, s))


@pytest.mark.slow
def test_output_sizes_in_keras() -> None:
    import keras

    for n, k, s, p in SIZES:
        padded = keras.layers.ZeroPadding2D(p).compute_output_shape((1, n, n, 1))
        shape = keras.layers.Conv2D(1, k, strides=s).compute_output_shape(padded)
        assert shape[1:3] == (output_size(n, k, s, p),) * 2, (n, k, s, p)


def test_ten_5x5_layers_without_padding_shrink_240_to_200() -> None:
    size = 240
    for _ in range(10):
        size = output_size(size, 5)
    assert size == 240 - 10 * (5 - 1) == 200
    settings = ArchitectureSettings(filters=(4,), kernels=(5,), padding=("valid",))
    assert [*shapes("C10F", plan("C10F", settings), (240, 240, 3), 2)][9] == (200, 200, 4)
    with_padding = ArchitectureSettings(filters=(4,), kernels=(5,))
    assert [*shapes("C10F", plan("C10F", with_padding), (240, 240, 3), 2)][9] == (240, 240, 4)


# --- Filters ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_sobel_kernels_and_the_moving_average_of_the_notes_as_networks() -> None:
    from edgecnn.recipe import ModelSection
    from edgecnn.zoo import build_model, find_model

    source = find_model("filters").source

    def network(shape: tuple[int, ...], **arguments: Any) -> Any:
        section = ModelSection(name="filters", task="filter", arguments=arguments)
        return build_model(source, section, shape, 2)

    image = np.zeros((1, 7, 7, 1), np.float32)
    image[:, :, 3:] = 10    # a vertical edge
    responses = {}
    for kernel in ("sobel_x", "sobel_y"):
        responses[kernel] = np.asarray(network((7, 7, 1), kernel=kernel)(image))[0, 1:-1, 1:-1, 0]
    # (−1 0 1/−2 0 2/−1 0 1): 10 + 20 + 10 where the window lies across the edge
    assert responses["sobel_x"].tolist() == [[0, 40, 40, 0, 0]] * 5
    assert not responses["sobel_y"].any()
    turned = np.asarray(network((7, 7, 1), kernel="sobel_y")(image.swapaxes(1, 2)))[0, 1:-1, 1:-1, 0]
    assert turned.T.tolist() == [[0, 40, 40, 0, 0]] * 5
    signal = np.random.default_rng(0).normal(size=50).astype(np.float32)
    averaged = np.asarray(network((50, 1), kernel="moving_average", window=10)(signal.reshape(1, 50, 1))).ravel()
    expected = np.convolve(signal, np.ones(10) / 10)[:50]
    np.testing.assert_allclose(averaged, expected, atol=1e-6)
