"""Fashion-MNIST: articles of clothing in the format of MNIST (Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747)."""

from __future__ import annotations

from pathlib import Path

from edgecnn.data import _mnist_like
from edgecnn.data.base import DataSet, DataSetInfo, Location
from edgecnn.recipe import DataSection

INFO = DataSetInfo(
    name="fashion_mnist",
    title="Fashion-MNIST",
    shape=(28, 28, 1),
    classes=10,
    counts={"train": 60_000, "test": 10_000},
    licence="MIT",
    home="https://github.com/zalandoresearch/fashion-mnist",
    get=(
        "apt install dataset-fashion-mnist (Debian, Ubuntu)",
        "the four idx files, raw or .gz, in $EDGECNN_DATA/fashion_mnist",
        "with a network and edgecnn[train] Keras downloads it (30 MB) into ~/.keras at first use",
    ),
    description="Grey 28x28 pictures of clothes from a shop's catalogue. Shirt (6) is the hard class.",
)

SPEC = _mnist_like.MnistLike(
    info=INFO,
    labels=(
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ),
    folders=("fashion_mnist", "fashion-mnist"),
    packaged=(Location(Path("/usr/share/datasets/fashion-mnist"), "Debian package dataset-fashion-mnist"),),
    keras_name="fashion_mnist",
    keras_cache="fashion-mnist",
    megabytes=30,
)


def locate(section: DataSection) -> Location | None:
    """Where the set lies on this machine, without reading its samples."""
    return _mnist_like.locate(SPEC, section)


def open_set(section: DataSection) -> DataSet:
    """The set; ``uint8 [N, 28, 28, 1]``. See ``_mnist_like.open_set`` for the places and the errors."""
    return _mnist_like.open_set(SPEC, section)
