"""Quantization-aware training: a trained network goes on learning with the rounding of its int8 file simulated.

It learns from the float network, not from the labels: what is to be won back is what rounding took, and a few epochs of
labels at another rate would move the network elsewhere (``Distilled``). It is an ordinary training in a run folder of
its own, ``RUN/qat``: the recipe is that of RUN but for how it learns, and ``model.py`` makes the fake-quantized network
of the two ``.tflite`` files beside it. So checkpoints, ``--resume``, augmentation and the learning curve are those of
every training. What was learned is then written into the int8 file, number by number (``requantize``).
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any, Literal

from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.files import readable_os_errors, write_bytes
from edgecnn.keras_quiet import load_keras_model
from edgecnn.quantization.convert import Converted
from edgecnn.quantization.graph_layers import check_operators, fake_quantized, trained
from edgecnn.quantization.pair import Pair, match_graphs
from edgecnn.quantization.requantize import requantized
from edgecnn.quantization.rewrite import rewritten
from edgecnn.recipe import ModelSection, NamedOptions, Recipe
from edgecnn.runs import FLOAT_TFLITE, INT8_TFLITE, KERAS, Run, create_run, discard_run
from edgecnn.zoo import ModelFolder
from firmware_export.tflite import read_model

FOLDER = "qat"
"""The folder in a run that holds its quantization-aware training."""

LEARNING_RATE = 1e-4
"""Adam's, at first: the network is trained already, and rounding moves it by little.

Of 1e-4, 3e-4 and 1e-3 it is the one with which three networks of the zoo (two of spoken digits, one of motion) stayed
nearest to their float accuracy on their validation splits, and with which a repaired network with unequal channels lost
least (``benchmarks/quantization_hard_cases.py``, on training images held back).
"""

Ranges = Literal["learned", "moving"]

_MODEL = '''"""The network of the two .tflite files beside this one, with the rounding of its int8 form simulated."""

from pathlib import Path

from edgecnn.quantization.qat import network


def build(ranges, updates):
    return network(Path(__file__).parent, ranges, updates)
'''


def qat_run(
    run: Run,
    epochs: int,
    *,
    files: Converted | None = None,
    learning_rate: float = LEARNING_RATE,
    ranges: Ranges = "learned",
    resume: bool = False,
) -> Run:
    """The run folder of a quantization-aware training, to be handed to ``edgecnn.training.train.train``.

    Args:
        run: Trained, and quantized unless ``files`` are given.
        epochs: Of this training.
        files: Where the training begins, such as files with repaired weights and calibrated ranges; by default those
            of the run.
        learning_rate: Of Adam at first; it falls to 0 along half a cosine.
        ranges: Whether they learn by gradients, or follow the smallest and largest values of the batches until the
            last epoch begins.
        resume: Go on where such a training was broken off. Otherwise what is there is replaced.

    Raises:
        UsageError: There is nothing to learn in a filter, or nothing to resume.
        EdgecnnError: The files are not those of one network, an operator cannot be simulated, or the training that is
            to be resumed was begun with other settings or files.
    """
    recipe = run.info.recipe
    if recipe.model.task == "filter":
        raise UsageError(f"{run.path}: the weights of a filter are fixed, so there is nothing to train.")
    files = files or Converted(*(_read(run, name) for name in (FLOAT_TFLITE, INT8_TFLITE)))
    check_operators(_pair(files))
    wanted = _recipe(run, recipe, epochs, learning_rate, ranges)
    folder = Run(run.file(FOLDER))
    if resume:
        _check_same(folder, wanted, files)
        return folder
    if folder.path.exists():
        discard_run(folder)
    with tempfile.TemporaryDirectory() as temporary:
        write_bytes(Path(temporary) / "model.py", _MODEL.encode())
        made = create_run(ModelFolder(Path(temporary)), wanted, folder.path)
    write_bytes(made.file(FLOAT_TFLITE), files.float_tflite)
    write_bytes(made.file(INT8_TFLITE), files.int8_tflite)
    made.record(FLOAT_TFLITE, INT8_TFLITE)
    return made


def _read(run: Run, name: str) -> bytes:
    path = run.require(name, f"edgecnn quantize {run.path}")
    with readable_os_errors(path, "read"):
        return path.read_bytes()


def _pair(files: Converted) -> Pair:
    return match_graphs(read_model(files.float_tflite, FLOAT_TFLITE), read_model(files.int8_tflite, INT8_TFLITE))


def _recipe(run: Run, recipe: Recipe, epochs: int, learning_rate: float, ranges: Ranges) -> Recipe:
    """How the network goes on learning: as it began, but for the optimizer and what only a first training needs."""
    data = run.info.data
    steps = math.ceil(data.training_samples / recipe.train.batch) if data is not None else 0
    updates = (epochs - 1) * steps if epochs > 1 else steps // 2
    model = ModelSection(
        name=recipe.model.name,
        task=recipe.model.task,
        description=recipe.model.description,
        arguments={"ranges": ranges, "updates": updates if ranges == "moving" else 0},
    )
    changed = {
        "optimizer": NamedOptions.model_validate({"name": "adam", "learning_rate": learning_rate}),
        "schedule": NamedOptions(name="cosine"),
        "epochs": epochs,
        "average": None,
        "freeze": 0,
        "head_epochs": 0,
        "precision": "float32",
        "early_stopping": None,
        "keep": "last",    # the rate falls to 0: the last epoch is the quietest
    }
    return recipe.model_copy(update={"model": model, "train": recipe.train.model_copy(update=changed)})


def _check_same(folder: Run, wanted: Recipe, files: Converted) -> None:
    """Refuse to go on with another training."""
    if not folder.file(INT8_TFLITE).is_file():
        raise UsageError(f"{folder.path}: no quantization-aware training was begun there. Leave --resume out.")
    begun = folder.info.recipe
    if begun.model != wanted.model or begun.train != wanted.train:
        raise EdgecnnError(
            f"{folder.path} was begun with other settings ({begun.train.epochs} epochs, "
            f"{begun.train.optimizer.arguments()['learning_rate']:g} as learning rate, "
            f"{begun.model.arguments['ranges']} ranges). Resume with those, or leave --resume out to begin anew."
        )
    if files_of(folder) != files:
        raise EdgecnnError(
            f"{folder.path} was begun with other .tflite files than those of the run now. Leave --resume out to begin "
            "anew."
        )


def files_of(qat: Run) -> Converted:
    """The files that a quantization-aware training began with."""
    return Converted(_read(qat, FLOAT_TFLITE), _read(qat, INT8_TFLITE))


def network(folder: Path, ranges: Ranges, updates: int) -> Any:
    """The network that a quantization-aware training trains: for the ``model.py`` of its folder.

    Args:
        folder: With the two ``.tflite`` files.
        ranges: ``learned`` or ``moving``.
        updates: For moving ranges, the number of batches after which they stay.
    """
    return student(_pair(files_of(Run(folder))), ranges, updates)


def student(pair: Pair, ranges: Ranges, updates: int = 0) -> Any:
    """The fake-quantized network of a pair of files, which learns to give what its float network gives.

    Args:
        pair: The two graphs, of one input and one output.
        ranges: ``learned`` or ``moving``.
        updates: For moving ranges, the number of batches after which they stay.

    Returns:
        A ``Distilled`` model ``[N, *shape without batch]`` to outputs before their rounding.
    """
    from edgecnn.layers import Distilled

    rounded = fake_quantized(pair, kind=ranges, updates=updates, round_output=False)
    learner = Distilled(rounded.inputs, rounded.outputs)
    last = next(node for node in pair.real.nodes if pair.real.outputs[0] in node.outputs)
    learner.learn_from(fake_quantized(pair, quantize=()), last.op in ("SOFTMAX", "LOGISTIC"))
    return learner


def quantized_from(qat: Run) -> Converted:
    """What a finished quantization-aware training gives: the files that it began with, with the numbers it learned.

    A contract inside still has the old scale of the output where that is learned (not with SOFTMAX and LOGISTIC).

    Raises:
        EdgecnnError: It is not finished.
    """
    path = qat.require(KERAS, f"edgecnn quantize {qat.path.parent} --qat EPOCHS --resume")
    files = files_of(qat)
    pair = _pair(files)
    learned = trained(load_keras_model(path, "quantization"), pair)
    exact = {index: array.astype("<f4").tobytes() for index, array in learned.constants.items()}
    return Converted(
        rewritten(files.float_tflite, {}, exact),
        requantized(pair, files.int8_tflite, learned.ranges, learned.constants),
    )
