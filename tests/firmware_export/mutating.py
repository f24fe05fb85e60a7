"""Damaged models: bytes changed at random, and files that are well-formed and say nonsense."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from firmware_export.compiler import Compiled, compile_model
from firmware_export.errors import ModelError
from tests.firmware_export.int16_network import int16_network
from tests.firmware_export.random_networks import random_network
from tests.firmware_export.random_operators import OPERATORS
from tests.tflite_builder import pack, quantize_model, small_model

SIZES = (-(1 << 31), -7, -1, 0, 1, 2, 3, 5, 64, 255, 256, 4097, 46_341, 65_536, (1 << 24) + 1, (1 << 30), (1 << 31) - 1)
SCALES = (float("nan"), float("inf"), -1.0, 0.0, 1e-45, 1e-38, 1e-12, 0.003, 1.0, 255.0, 1e12, 3e38)
ZERO_POINTS = (-(1 << 63), -(1 << 31), -129, -128, -1, 0, 1, 127, 128, 255, 1 << 31, (1 << 63) - 1)
WORDS = (0, 1, 2, 4, 0x7F, 0x80, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFC, 0x7FC00000, 0x7F800000)
LONGEST_MESSAGE = 1000


@dataclass(frozen=True)
class Source:
    """A model that is in order.

    Attributes:
        name: For messages.
        data: The file.
    """

    name: str
    data: bytes


def sources(models: Path | None) -> list[Source]:
    """Models to damage: a small one, one for each operator, some of many nodes, and the published ones in a folder."""
    found = [Source("small", pack(small_model())), Source("quantize", pack(quantize_model(7, 0.1, 3)))]
    found.append(Source("int16", int16_network()))
    for number, op in enumerate(OPERATORS):
        found.append(Source(f"only {op}", random_network(number, 3, frozenset({op})).data))
    found += [Source(f"seed {seed}", random_network(seed).data) for seed in range(100, 112)]
    if models is not None:
        found += [Source(path.name, path.read_bytes()) for path in sorted(models.glob("*int8.tflite"))]
    return found


def damaged(source: Source, seed: int) -> bytes:
    """The file with something wrong; the same seed gives the same file."""
    chance = random.Random(f"{source.name} {seed}")
    kind = chance.random()
    if kind < 0.05:
        return source.data[: chance.randrange(len(source.data))]
    if kind < 0.25:
        return _bytes_changed(source.data, chance)
    if kind < 0.4:
        return _words_changed(source.data, chance)
    return _nonsense(source.data, chance)


def _place(data: bytes, chance: random.Random) -> int:
    """Most bytes of a large model are weights, where damage cannot be seen: prefer the tables at both ends."""
    near = 6000
    if len(data) < 2 * near or chance.random() < 0.1:
        return chance.randrange(len(data))
    place = chance.randrange(2 * near)
    return place if place < near else len(data) - 1 - (place - near)


def _bytes_changed(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 8))):
        place = _place(data, chance)
        changed[place] = chance.choice((changed[place] ^ 1 << chance.randrange(8), 0, 0xFF, chance.randrange(256)))
    return bytes(changed)


def _words_changed(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 3))):
        place = min(_place(data, chance), len(data) - 4) // 4 * 4
        struct.pack_into("<I", changed, place, chance.choice(WORDS))
    return bytes(changed)


# Well-formed files that make no sense.


def _nonsense(data: bytes, chance: random.Random) -> bytes:
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        chance.choice(NONSENSE)(model, chance)
    builder = flatbuffers.Builder(4096)
    try:
        builder.Finish(model.Pack(builder), b"TFL3")
    except TypeError:    # a number that its field cannot hold: no file can say this
        return _words_changed(data, chance)
    return bytes(builder.Output())


def _tensor(model: Any, chance: random.Random) -> Any:
    return chance.choice(model.subgraphs[0].tensors)


def _node(model: Any, chance: random.Random) -> Any:
    return chance.choice(model.subgraphs[0].operators)


def _listed(values: Any) -> list[Any]:
    return [] if values is None else [value.item() if hasattr(value, "item") else value for value in values]


def _shuffled(values: Any, chance: random.Random, other: Sequence[Any]) -> list[Any]:
    """A list with one entry changed, added, removed, doubled or moved; sometimes nothing is left."""
    found, kind = _listed(values), chance.randrange(7)
    if kind == 0 and found:
        found.pop(chance.randrange(len(found)))
    elif kind == 1:
        found.insert(chance.randint(0, len(found)), chance.choice(other))
    elif kind == 2 and chance.random() < 0.3:
        found = []
    elif kind == 3 and found:
        found.append(chance.choice(found))
    elif kind == 4:
        chance.shuffle(found)
    elif found:
        found[chance.randrange(len(found))] = chance.choice(other)
    return found


def _shape(model: Any, chance: random.Random) -> None:
    tensor = _tensor(model, chance)
    tensor.shape = _shuffled(tensor.shape, chance, SIZES)


def _signature(model: Any, chance: random.Random) -> None:
    tensor = _tensor(model, chance)
    tensor.shapeSignature = [-1 if chance.random() < 0.4 else size for size in _listed(tensor.shape)]


def _type(model: Any, chance: random.Random) -> None:
    _tensor(model, chance).type = chance.choice((9, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 17, 18))


def _quantization(model: Any, chance: random.Random) -> None:
    tensor = _tensor(model, chance)
    if chance.random() < 0.15:
        tensor.quantization = None
    quant = tensor.quantization
    if quant is None:
        return
    kind = chance.randrange(5)
    if kind == 0:
        quant.scale = [chance.choice(SCALES) for _ in _listed(quant.scale)]
    elif kind == 1:
        quant.zeroPoint = [chance.choice(ZERO_POINTS) for _ in _listed(quant.scale)]
    elif kind == 2:
        quant.scale = _shuffled(quant.scale, chance, SCALES)
        quant.zeroPoint = _shuffled(quant.zeroPoint, chance, ZERO_POINTS)
    elif kind == 3:
        quant.quantizedDimension = chance.choice((-1, 0, 1, 2, 3, 4, (1 << 31) - 1))
    else:
        count = chance.choice((1, 2, *map(abs, _listed(tensor.shape)[:4])))
        quant.scale, quant.zeroPoint = [0.01] * min(count, 100), [0] * min(count, 100)


def _buffer(model: Any, chance: random.Random) -> None:
    tensor = _tensor(model, chance)
    data = model.buffers[tensor.buffer].data if tensor.buffer < len(model.buffers) else None
    kind = chance.randrange(4)
    if kind == 0 or data is None:
        tensor.buffer = chance.randrange(len(model.buffers) + 1)
    elif kind == 1:
        model.buffers[tensor.buffer].data = None
    elif kind == 2:
        model.buffers[tensor.buffer].data = np.array(data[: chance.randrange(len(data) + 1)], np.uint8)
    else:
        model.buffers[tensor.buffer].data = np.concatenate([data, np.zeros(chance.choice((1, 4, 64)), np.uint8)])


def _numbers(model: Any, chance: random.Random) -> None:
    """Axes, sizes, paddings, positions, biases: int32 constants."""
    buffers = model.buffers
    tensors = [t for t in model.subgraphs[0].tensors if t.type == 2 and t.buffer < len(buffers)]
    held = [t for t in tensors if buffers[t.buffer].data is not None]
    if held:
        buffer = model.buffers[chance.choice(held).buffer]
        values = np.frombuffer(bytes(buffer.data)[: len(buffer.data) // 4 * 4], np.int32).copy()
        if values.size:
            values[chance.randrange(values.size)] = chance.choice(SIZES)
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)


def _operands(model: Any, chance: random.Random) -> None:
    node = _node(model, chance)
    others = (*range(len(model.subgraphs[0].tensors)), -1)
    if chance.random() < 0.7:
        node.inputs = _shuffled(node.inputs, chance, others)
    else:
        node.outputs = _shuffled(node.outputs, chance, others)


def _order(model: Any, chance: random.Random) -> None:
    nodes = model.subgraphs[0].operators
    kind = chance.randrange(3)
    if kind == 0:
        chance.shuffle(nodes)
    elif kind == 1 and len(nodes) > 1:
        nodes.pop(chance.randrange(len(nodes)))
    else:
        nodes.append(_node(model, chance))


def _operator(model: Any, chance: random.Random) -> None:
    code = chance.choice(model.operatorCodes)
    code.builtinCode = chance.randrange(160)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    if chance.random() < 0.2:
        code.customCode = chance.choice(("mine", "", "\x1b[2J", "x" * 500))


def _attribute(model: Any, chance: random.Random) -> None:
    node = _node(model, chance)
    options = node.builtinOptions
    if options is None or chance.random() < 0.1:
        node.builtinOptions, node.builtinOptionsType = None, 0
        return
    names = sorted(vars(options))
    if not names:
        return
    name = chance.choice(names)
    value = getattr(options, name)
    if isinstance(value, bool):
        setattr(options, name, not value)
    elif isinstance(value, float):
        setattr(options, name, chance.choice(SCALES))
    elif isinstance(value, int):
        small = any(word in name.lower() for word in ("padding", "activation", "format", "type"))
        setattr(options, name, chance.randrange(7) if small else chance.choice(SIZES))
    elif value is not None:
        setattr(options, name, _shuffled(value, chance, SIZES))


def _ends(model: Any, chance: random.Random) -> None:
    graph = model.subgraphs[0]
    others = (*range(len(graph.tensors)), -1)
    if chance.random() < 0.5:
        graph.inputs = _shuffled(graph.inputs, chance, others)
    else:
        graph.outputs = _shuffled(graph.outputs, chance, others)


def _variable(model: Any, chance: random.Random) -> None:
    _tensor(model, chance).isVariable = True


NONSENSE: tuple[Callable[[Any, random.Random], None], ...] = (
    *(_shape, _shape, _signature, _type, _quantization, _quantization, _buffer, _numbers, _numbers),
    *(_operands, _operands, _order, _operator, _attribute, _attribute, _attribute, _ends, _variable),
)


def judged(data: bytes) -> Compiled | str:
    """What the compiler makes of a file: the result, or the message of its refusal.

    Raises:
        AssertionError: The message is not one that a person could be shown.
        Exception: Whatever else the compiler raises, which it must not.
    """
    try:
        return compile_model(data, "model.tflite", "model")
    except ModelError as error:
        message = str(error)
        assert message.startswith("model.tflite: "), message
        assert 25 < len(message) <= LONGEST_MESSAGE, message
        assert message.isprintable(), message
        return message
