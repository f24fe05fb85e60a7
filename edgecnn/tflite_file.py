"""What the rest of edgecnn asks of a ``.tflite`` file on disk."""

from __future__ import annotations

from pathlib import Path

from edgecnn.contract import METADATA_NAME, Contract, parse_contract
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.files import readable_os_errors, require_file
from firmware_export.errors import ModelError
from firmware_export.graph import FLOAT_DTYPES, Graph, short_name
from firmware_export.schema import FILE_IDENTIFIER
from firmware_export.tflite import read_model


def require_tflite(path: Path, what: str) -> None:
    """Refuse the other model files of this project, with the way to a ``.tflite``.

    Args:
        path: A model file; one of no known suffix is left to whoever reads it.
        what: What is to be made of it: ``a C array``.

    Raises:
        UsageError: It is a ``.keras`` or ``.onnx`` file, or there is none.
    """
    ways = {
        ".keras": f"Quantize it first: edgecnn quantize {path}",
        ".onnx": "Give the .tflite file that it was made from.",
    }
    if (way := ways.get(path.suffix.lower())) is not None:
        require_file(path)
        raise UsageError(f"{path}: {what} is made from a .tflite file. {way}")


def read_graph(path: Path) -> Graph:
    """Read a model file.

    Raises:
        UsageError: There is no such file.
        EdgecnnError: It cannot be read, or is no model that is understood; the message has the path.
    """
    require_file(path)
    with readable_os_errors(path, "read"), path.open("rb") as stream:
        # A file that is no model is refused by its first bytes, however large it is.
        data = stream.read(8)
        if data[4:] == FILE_IDENTIFIER:
            data += stream.read()
    try:
        return read_model(data, str(path))
    except ModelError as error:
        raise EdgecnnError(str(error)) from error


def contract_in(graph: Graph) -> Contract | None:
    """The contract that a graph carries, or None.

    Raises:
        EdgecnnError: There is one, and it cannot be understood.
    """
    text = graph.metadata.get(METADATA_NAME)
    return None if text is None else parse_contract(text, graph.name)


def contract_of(path: Path) -> Contract | None:
    """The contract that a model file carries, or None for a file that edgecnn did not make.

    Raises:
        EdgecnnError: The file or the contract in it cannot be read.
    """
    return contract_in(read_graph(path))


def float_nodes(graph: Graph) -> list[str]:
    """A line for each node that reads or writes a floating-point tensor; empty for a full integer model.

    A line reads ``node 3 CONV_3D 'conv/out': float32 input 'x', float32 output 'conv/out'``.
    """
    lines = []
    for node in graph.nodes:
        touched = [
            f"{tensor.dtype} {role} {short_name(tensor.name)!r}"
            for role, indices in (("input", node.inputs), ("output", node.outputs))
            for tensor in graph.present(indices)
            if tensor.dtype in FLOAT_DTYPES
        ]
        if touched:
            lines.append(f"{graph.node_label(node)}: {', '.join(touched)}")
    return lines
