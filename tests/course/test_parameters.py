"""Parameters of the networks that the notes teach, counted layer by layer, and of the famous ones as published."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

import pytest

from edgecnn.zoo import models_folder

pytestmark = pytest.mark.slow


def model_module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"course_{name}", models_folder() / name / "model.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parameters(model: Any) -> list[int]:
    """Of the layers that have any, in their order."""
    return [layer.count_params() for layer in model.layers if layer.count_params()]


def convolution(side: int, maps: int, filters: int, groups: int = 1) -> int:
    """Weights and one bias for each filter."""
    return side * side * maps // groups * filters + filters


def dense(inputs: int, units: int) -> int:
    """Weights and one bias for each unit."""
    return inputs * units + units


# --- The course's own ------------------------------------------------------------------------------------------------


def test_cifar10_cnn_has_the_parameters_of_the_notes() -> None:
    layers = [convolution(3, 3, 32), convolution(3, 32, 64), convolution(3, 64, 128), dense(3 * 3 * 128, 1024),
              dense(1024, 10)]    # fmt: skip
    assert layers == [896, 18_496, 73_856, 1_180_672, 10_250]
    assert sum(layers) == 1_284_170    # the notes
    assert parameters(model_module("cifar10_cnn").build()) == layers


@pytest.mark.parametrize("norm", ["before", "after"])
def test_cifar10_bn_costs_four_numbers_a_map_more(norm: str) -> None:
    layers, maps = [], 3
    for filters in (32, 32, 64, 64, 128, 128):
        layers += [convolution(3, maps, filters), 4 * filters]    # scale, shift, mean and variance
        maps = filters
    layers += [dense(4 * 4 * 128, 1024), dense(1024, 10)]
    assert sum(layers) == 2_397_226
    assert parameters(model_module("cifar10_bn").build(norm=norm)) == layers


def test_lenet5_with_every_map_connected() -> None:
    layers = [convolution(5, 1, 6), convolution(5, 6, 16), convolution(5, 16, 120), dense(120, 84), dense(84, 10)]
    assert layers == [156, 2_416, 48_120, 10_164, 850] and sum(layers) == 61_706
    assert parameters(model_module("lenet5").build()) == layers


def test_lenet89_has_the_9760_parameters_of_the_paper() -> None:
    """LeCun et al. 1989, section 3.2: 1,068 in H1, 2,592 in H2, 5,790 in H3, 310 in the output layer; 9,760."""
    from edgecnn.summary import summarize_keras

    model = model_module("lenet89").build()
    h1, h1_bias, h2, h2_bias, h3, output = parameters(model)
    assert (h1, h1_bias) == (12 * 25, 12 * 8 * 8) and h1 + h1_bias == 1_068
    assert (h2, h2_bias) == (12 * 8 * 25, 12 * 4 * 4) and h2 + h2_bias == 2_592
    assert (h3, output) == (dense(4 * 4 * 12, 30), dense(30, 10)) == (5_790, 310)
    assert model.count_params() == 9_760
    # The paper counts connections, the biases among them: 19,968 into H1, 38,592 into H2, 5,790 into H3.
    macs = {layer.name: layer.macs for layer in summarize_keras(model).layers if layer.macs}
    assert macs == {"h1": 19_968 - 768, "h2": 38_592 - 192, "h3": 5_790 - 30, "output": 300}
    readers = [sum(channel in group for group in model_module("lenet89").H2_READS) for channel in range(12)]
    assert readers == [2] * 12, "each map of H1 goes to two of the three groups of four maps"


def test_a_convolution_against_a_dense_layer_for_the_same_maps() -> None:
    """Why chapter 1 leaves the multilayer perceptron: 28x28 pixels to as many features."""
    assert dense(28 * 28, 28 * 28) == 615_440
    assert convolution(3, 1, 1) == 10


# --- The famous ones -------------------------------------------------------------------------------------------------


def test_alexnet_of_2012() -> None:
    """60,965,224 with the two groups of the paper, as Caffe's bvlc_alexnet has them; 62,378,344 without groups.

    Krizhevsky, Sutskever and Hinton 2012 say 60 million, and name the neurons of each layer in section 3.5.
    """
    model = model_module("alexnet").build(size="original", classes=1000)
    layers = [
        convolution(11, 3, 96),
        convolution(5, 96, 256, groups=2),
        convolution(3, 256, 384),
        convolution(3, 384, 384, groups=2),
        convolution(3, 384, 256, groups=2),
        dense(6 * 6 * 256, 4096),
        dense(4096, 4096),
        dense(4096, 1000),
    ]
    assert layers == [34_944, 307_456, 885_120, 663_936, 442_624, 37_752_832, 16_781_312, 4_097_000]
    assert parameters(model) == layers and model.count_params() == 60_965_224
    ungrouped = [convolution(5, 96, 256), convolution(3, 384, 384), convolution(3, 384, 256)]
    assert 60_965_224 + sum(ungrouped) - sum(layers[at] for at in (1, 3, 4)) == 62_378_344
    shapes = {layer.name: layer.output.shape[1:] for layer in model.layers}
    neurons = [shapes[f"conv{number}"][0] ** 2 * shapes[f"conv{number}"][2] for number in range(2, 6)]
    assert neurons == [186_624, 64_896, 64_896, 43_264]
    # For the first layer the paper has 253,440, which 96 maps cannot have; 55 x 55 x 96 are 290,400.
    assert shapes["conv1"] == (55, 55, 96) and 253_440 % 96 == 0 and int((253_440 / 96) ** 0.5) ** 2 != 253_440 // 96


def test_vgg16_of_2015() -> None:
    """138 million in table 2 of Simonyan and Zisserman 2015, column D; 138,357,544 in Keras's applications.VGG16."""
    model = model_module("vgg16").build(size="original", classes=1000)
    layers, maps = [], 3
    for filters, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            layers.append(convolution(3, maps, filters))
            maps = filters
    layers += [dense(7 * 7 * 512, 4096), dense(4096, 4096), dense(4096, 1000)]
    assert parameters(model) == layers and model.count_params() == sum(layers) == 138_357_544


# Szegedy et al. 2015, table 1, column "#params", in units of 1024 weights.
GOOGLENET_TABLE = {
    "3a": 159, "3b": 380, "4a": 364, "4b": 437, "4c": 463, "4d": 580, "4e": 840, "5a": 1072, "5b": 1388,
}    # fmt: skip


def test_googlenet_of_2015() -> None:
    """6,998,552 without the auxiliary classifiers, as in Caffe's bvlc_googlenet; 13,378,280 with both.

    The paper's table rounds, and by up to 8 % it is not the sum of its own filters; its 2.7K for the first layer cannot
    be 7x7x3x64 weights, which are 9.2K.
    """
    model = model_module("googlenet").build(size="original", classes=1000, auxiliary=True)
    weights: dict[str, int] = {}
    for layer in model.layers:
        if hasattr(layer, "kernel") and "auxiliary" not in layer.name:
            weights[layer.name] = int(layer.kernel.shape.num_elements())
    for name, thousands in GOOGLENET_TABLE.items():
        module_weights = sum(count for layer, count in weights.items() if layer.startswith(f"{name}_"))
        assert module_weights / 1024 == pytest.approx(thousands, rel=0.08), name
    assert weights["conv2_reduce"] + weights["conv2"] == 112 * 1024
    assert weights["classifier"] == 1000 * 1024
    assert weights["conv1"] == 7 * 7 * 3 * 64
    auxiliary = [convolution(1, maps, 128) + dense(4 * 4 * 128, 1024) + dense(1024, 1000) for maps in (512, 528)]
    assert model.count_params() == 13_378_280
    assert model.count_params() - sum(auxiliary) == 6_998_552
    assert [tuple(output.shape) for output in model.outputs] == [(None, 1000)] * 3


@pytest.mark.parametrize("name", ["alexnet", "vgg16", "googlenet"])
def test_the_small_form_is_what_its_card_says(name: str) -> None:
    """Under 600 kB in int8: a byte for each weight, four for each bias, and what the file itself needs."""
    from edgecnn.summary import summarize_keras

    model = model_module(name).build()
    assert model.input_shape == (None, 32, 32, 3) and model.output_shape == (None, 10)
    summary = summarize_keras(model)
    assert summary.macs < 15_000_000 and summary.parameters < 560_000
    with pytest.raises(ValueError, match="size is one of"):
        model_module(name).build(size="huge")
