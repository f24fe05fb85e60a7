"""Networks that lose much when they are quantized, and what each remedy gives back.

    python benchmarks/quantization_hard_cases.py [CASE ...] [--quick]

Small networks learn Fashion-MNIST at 14x14 pixels for a few epochs. Then each is given a fault that float does not
notice: another function of the same value, or an order of layers that people use. Ranges and repairs see training
samples alone; every figure is the accuracy on test samples. Printed for each case:

=========  =============================================================================================================
float      the float ``.tflite``
plain      int8 as TFLiteConverter writes it, batch norms left where they stand
fold       the same with batch norms taken into other layers, as ``edgecnn quantize`` always does
ranges     ``--ranges auto``
repair     ``--ranges auto --repair``
qat        training with the rounding simulated, from there on, whether it gains or not
int16x8    16-bit activations
layer      the one that ``quantize --analyze`` says loses most, in the file of ``fold``
=========  =============================================================================================================

Some minutes on one core; a quarter of it with ``--quick``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgecnn.contract import Contract
from edgecnn.data import open_dataset
from edgecnn.data.base import Samples
from edgecnn.data.split import stratified_subset
from edgecnn.keras_quiet import import_keras
from edgecnn.preprocess import ImagePreprocess
from edgecnn.quantization.analysis import analyse
from edgecnn.quantization.convert import Converted, Form, convert, tensor_contracts
from edgecnn.quantization.graph_layers import trained
from edgecnn.quantization.improve import Asked, improved
from edgecnn.quantization.observe import activations
from edgecnn.quantization.pair import Pair, match_graphs
from edgecnn.quantization.qat import LEARNING_RATE, student
from edgecnn.quantization.requantize import requantized
from edgecnn.recipe import DataSection
from firmware_export.tflite import read_model

CALIBRATION = 256
BATCH = 64
COLUMNS = ("float", "plain", "fold", "ranges", "repair", "qat", "int16x8")


@dataclass(frozen=True)
class Size:
    """How much is learned and judged."""

    train: int = 12_000
    test: int = 2_000
    epochs: int = 4
    qat_epochs: int = 2
    held: int = 256    # training samples that judge ranges and repairs


QUICK = Size(train=3_000, test=500, epochs=2, qat_epochs=1, held=64)


@dataclass(frozen=True)
class Case:
    """A network with a fault.

    Attributes:
        what: The fault, in words.
        make: From training samples and a size to the trained network.
        preprocess: Of its input.
        calibrated: What becomes of the calibration inputs.
        form: Of the int8 file.
    """

    what: str
    make: Callable[[Samples, Size], Any]
    preprocess: ImagePreprocess = field(default_factory=ImagePreprocess)
    calibrated: Callable[[np.ndarray], np.ndarray] = lambda inputs: inputs
    form: Form = field(default_factory=Form)


def samples(size: Size) -> tuple[Samples, Samples]:
    """Training and test samples, ``uint8 [N, 14, 14, 1]``."""
    dataset = open_dataset(DataSection(set="fashion_mnist"))
    found = []
    for split, count in ((dataset.train, size.train), (dataset.test, size.test)):
        chosen = split.take(stratified_subset(split.strata, count, 0))
        halved = chosen.x.reshape(-1, 14, 2, 14, 2, 1).mean(axis=(2, 4))
        found.append(replace(chosen, x=halved.astype(np.uint8)))
    return found[0], found[1]


def fitted(model: Any, train: Samples, epochs: int, rate: float = 3e-3) -> Any:
    """After some epochs with pixels from 0 to 1."""
    keras = import_keras("the benchmark")
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, epochs * len(train) // BATCH)),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True))    # fmt: skip
    model.fit(ImagePreprocess().apply(train.x), train.y, batch_size=BATCH, epochs=epochs, verbose=0)
    return model


def begun(*parts: Any) -> Any:
    """A network for the images, with fixed first weights."""
    keras = import_keras("the benchmark")
    return keras.Sequential([keras.Input((14, 14, 1)), *parts])


def separable(activation: str = "relu6") -> Any:
    """As MobileNet: depthwise and pointwise layers in turn."""
    layers = import_keras("the benchmark").layers
    return begun(
        layers.Conv2D(16, 3, activation=activation, name="stem"),
        layers.DepthwiseConv2D(3, padding="same", activation=activation, name="depthwise1"),
        layers.Conv2D(24, 1, activation=activation, name="pointwise1"),
        layers.DepthwiseConv2D(3, strides=2, padding="same", activation=activation, name="depthwise2"),
        layers.Conv2D(32, 1, activation=activation, name="pointwise2"),
        layers.Flatten(name="flatten"),
        layers.Dense(10, name="scores"),
    )


def unequal(train: Samples, size: Size) -> Any:
    """Channels of ReLU6 layers from 5.9 down to a thousandth of it; the layers that read them take it back."""
    keras = import_keras("the benchmark")
    model = fitted(separable(), train, size.epochs)
    inputs = ImagePreprocess().apply(train.x)
    for first, second in (("stem", "depthwise1"), ("pointwise1", "depthwise2")):
        writer, reader = model.get_layer(first), model.get_layer(second)
        seen = keras.Model(model.inputs, writer.output).predict(inputs, batch_size=500, verbose=0)
        reach = seen.reshape(-1, seen.shape[-1]).max(axis=0)
        wanted = 5.9 * np.geomspace(1, 1e-3, len(reach))
        # Where the bound cuts something off, and where nothing ever comes, the channel stays as it is.
        factors = np.where((reach > 5.99) | (reach < 1e-3), 1.0, wanted / np.maximum(reach, 1e-3))
        kernel, bias = writer.get_weights()
        writer.set_weights([kernel * factors, bias * factors])
        kernel, bias = reader.get_weights()
        reader.set_weights([kernel / factors[:, np.newaxis], bias])
    return model


def plain_convolutions() -> Any:
    """Three convolutions."""
    layers = import_keras("the benchmark").layers
    return begun(
        layers.Conv2D(12, 3, activation="relu", name="first"),
        layers.MaxPooling2D(2, name="pool"),
        layers.Conv2D(24, 3, activation="relu", name="second"),
        layers.Conv2D(32, 3, activation="relu", name="third"),
        layers.Flatten(name="flatten"),
        layers.Dense(10, name="scores"),
    )


def off_zero(train: Samples, size: Size) -> Any:
    """Inputs from 200 to 455, which the first layer takes back."""
    model = fitted(plain_convolutions(), train, size.epochs)
    kernel, bias = model.get_layer("first").get_weights()
    kernel = kernel / 255
    model.get_layer("first").set_weights([kernel, bias - 200 * kernel.sum(axis=(0, 1, 2))])
    return model


def heavy_tail(train: Samples, size: Size) -> Any:
    """A layer's values cubed: few of them are very large."""
    keras = import_keras("the benchmark")
    layers = keras.layers
    given = keras.Input((14, 14, 1))
    value = layers.Conv2D(16, 3, activation="relu", name="first")(given)
    value = layers.Conv2D(24, 3, strides=2, activation="relu", name="second")(value)
    value = layers.Multiply(name="cube")([layers.Multiply(name="square")([value, value]), value])
    value = layers.Conv2D(24, 1, activation="relu", name="third")(value)
    value = layers.Flatten(name="flatten")(value)
    return fitted(keras.Model(given, layers.Dense(10, name="scores")(value)), train, size.epochs)


def glitches(inputs: np.ndarray) -> np.ndarray:
    """One sample in 64 is a hundred times as large, as from a sensor that saturates."""
    found: np.ndarray = inputs.copy()
    found[::64] *= 100
    return found


def late_norm(train: Samples, size: Size) -> Any:
    """Batch norm behind the activation."""
    layers = import_keras("the benchmark").layers
    parts = []
    for number, filters in enumerate((12, 24, 32)):
        parts += [layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{number}")]
        parts += [layers.BatchNormalization(momentum=0.9, name=f"norm{number}")]
        parts += [layers.MaxPooling2D(2, name=f"pool{number}")] if number < 2 else []
    return fitted(begun(*parts, layers.Flatten(name="flatten"), layers.Dense(10, name="scores")), train, size.epochs)


def regression(train: Samples, size: Size) -> Any:
    """Softmax regression on pixels from 0 to 255, one scale for all of its weights."""
    layers = import_keras("the benchmark").layers
    model = begun(layers.Flatten(name="flatten"), layers.Dense(10, name="scores"), layers.Softmax(name="softmax"))
    keras = import_keras("the benchmark")
    scores = fitted(keras.Model(model.inputs, model.get_layer("scores").output), train, size.epochs)
    kernel, bias = scores.get_layer("scores").get_weights()
    model.get_layer("scores").set_weights([kernel / 255, bias])
    return model


CASES = {
    "relu6": Case("depthwise layers, channels that differ by 1,000", unequal),
    "off-zero": Case("inputs from 200 to 455", off_zero, ImagePreprocess(scale=1.0, offset=200.0)),
    "tail": Case("an activation that is cubed", heavy_tail),
    "glitch": Case("1 of 64 calibration samples is 100 times as large",
                   lambda train, size: fitted(plain_convolutions(), train, size.epochs), calibrated=glitches),
    "late-norm": Case("batch norm behind the activation", late_norm),
    "regression": Case("softmax regression, one scale for all weights", regression,
                       ImagePreprocess(scale=1.0), form=Form(per_tensor=True)),
}  # fmt: skip


def accuracy(model: bytes, inputs: np.ndarray, truth: np.ndarray) -> float:
    """Share of right decisions on LiteRT."""
    output = read_model(model).outputs[0]
    found = [int(np.argmax(values[output])) for values in activations(model, inputs, [output])]
    return float(np.mean(np.array(found) == truth))


def pair_of(files: Converted) -> Pair:
    """Both graphs."""
    return match_graphs(read_model(files.float_tflite, "float"), read_model(files.int8_tflite, "int8"))


def learned_rounding(files: Converted, inputs: np.ndarray, truth: np.ndarray, epochs: int) -> bytes:
    """The int8 file after training with its rounding simulated, as ``edgecnn quantize --qat`` trains."""
    keras = import_keras("the benchmark")
    pair = pair_of(files)
    model = student(pair, "learned")
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * len(truth) // BATCH)
    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy())
    model.fit(inputs, truth, batch_size=BATCH, epochs=epochs, verbose=0)
    learned = trained(model, pair)
    return requantized(pair, files.int8_tflite, learned.ranges, learned.constants)


def worst_layer(files: Converted, test: Samples, preprocess: ImagePreprocess) -> str:
    """Which one loses most, and the ratio of signal and noise of the output with that one alone quantized."""
    pair = pair_of(files)
    labels = tuple("0123456789")
    contracts = [
        Contract(name="case", labels=labels, preprocess=preprocess, input=first, output=last)
        for first, last in (tensor_contracts(graph) for graph in (pair.real, pair.quantized))
    ]
    found = analyse(pair, files.float_tflite, files.int8_tflite, test.take(np.arange(200)),
                    (contracts[0], contracts[1]), labels, 32)    # fmt: skip
    return found.ranking[0]


def measure(case: Case, train: Samples, test: Samples, size: Size) -> tuple[dict[str, float], str]:
    """Accuracies by column, and the layer that loses most."""
    import_keras("the benchmark").utils.set_random_seed(1)
    model = case.make(train, size)
    inputs, judged = case.preprocess.apply(train.x), case.preprocess.apply(test.x)
    given = case.calibrated(inputs[:CALIBRATION])
    held = inputs[CALIBRATION : CALIBRATION + size.held]
    late = convert(model, given, case.form, fold=False)
    plain = convert(model, given, case.form)
    ranges = improved(plain, given, held, Asked("auto")).model
    repaired = improved(plain, given, held, Asked("auto", repair=True))
    begun = Converted(repaired.float_model, repaired.model)
    files = {
        "float": plain.float_tflite,
        "plain": late.int8_tflite,
        "fold": plain.int8_tflite,
        "ranges": ranges,
        "repair": repaired.model,
        # What was repaired is where the training begins: its weights and its ranges.
        "qat": learned_rounding(begun, inputs, train.y, size.qat_epochs),
        "int16x8": convert(model, given, Form("int16x8")).int8_tflite,
    }
    for step in repaired.steps:
        print(f"    {step.name:16}{step.sqnr_db:7.1f} dB  {'kept' if step.kept else 'left'}  {step.what}")
    return {name: accuracy(data, judged, test.y) for name, data in files.items()}, worst_layer(
        plain, test, case.preprocess
    )


def main() -> None:
    """All cases, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cases", nargs="*", choices=[[], *CASES], metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--quick", action="store_true", help="fewer samples and epochs")
    asked = parser.parse_args()
    size = QUICK if asked.quick else Size()
    train, test = samples(size)
    table = []
    for name in asked.cases or CASES:
        print(f"{name}: {CASES[name].what}", flush=True)
        found, layer = measure(CASES[name], train, test, size)
        table.append(f"{name:12}" + "".join(f"{100 * found[column]:9.2f}" for column in COLUMNS) + f"  {layer}")
        print(table[-1], flush=True)
    print(f"\nAccuracy in % on {len(test)} test samples\n{'case':12}" + "".join(f"{one:>9}" for one in COLUMNS)
          + "  layer\n" + "\n".join(table))    # fmt: skip


if __name__ == "__main__":
    main()
