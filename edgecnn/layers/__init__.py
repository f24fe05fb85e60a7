"""Keras layers for what Keras's own do not convert to int8: importing this package registers them with Keras.

It imports Keras, so nothing on the way to ``edgecnn --help`` may import it.
"""

from __future__ import annotations

from edgecnn.layers.distilled import Distilled
from edgecnn.layers.embedding import TokenEmbedding
from edgecnn.layers.fake_quantization import FakeQuantization
from edgecnn.layers.folded_norm import AddChannels, FoldedNorm
from edgecnn.layers.graph_operation import GraphOperation, WeightedOperation
from edgecnn.layers.local_response import LocalResponseNormalization
from edgecnn.layers.partial_conv import PartialConv2D
from edgecnn.layers.resize import NearestUpsampling2D
from edgecnn.layers.unit_bias import UnitBias

__all__ = [
    "AddChannels",
    "Distilled",
    "FakeQuantization",
    "FoldedNorm",
    "GraphOperation",
    "LocalResponseNormalization",
    "NearestUpsampling2D",
    "PartialConv2D",
    "TokenEmbedding",
    "UnitBias",
    "WeightedOperation",
]
