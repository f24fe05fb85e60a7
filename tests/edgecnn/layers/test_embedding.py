"""The look-up of words: Keras's result, one GATHER in TFLite, ids as int32 input of a full int8 file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.contract import TensorContract
from edgecnn.errors import EdgecnnError
from edgecnn.settle import infer_contract
from edgecnn.tflite_file import read_graph

pytestmark = pytest.mark.slow
IDS = np.array([[0, 3, 1, 2, 0, 4], [4, 4, 4, 0, 0, 1]], np.int32)


@pytest.fixture(scope="module")
def model() -> Any:
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    from edgecnn.layers import TokenEmbedding

    ids = keras.Input((6,), dtype="int32")
    x = TokenEmbedding(5, 8)(ids)
    x = keras.layers.Conv1D(4, 3, activation="relu")(x)
    x = keras.layers.GlobalMaxPooling1D()(x)
    return keras.Model(ids, keras.layers.Dense(1, activation="sigmoid")(x))


def test_the_same_as_keras(model: Any, tmp_path: Path) -> None:
    import keras

    from edgecnn.layers import TokenEmbedding

    (embedding,) = (layer for layer in model.layers if isinstance(layer, TokenEmbedding))
    own = keras.layers.Embedding(5, 8)
    own.build((None, 6))
    own.set_weights(embedding.get_weights())
    np.testing.assert_array_equal(embedding(IDS), own(IDS))
    assert embedding.compute_output_shape((None, 6)) == (None, 6, 8)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(model(IDS), again(IDS))


def test_sizes_below_1_are_refused() -> None:
    from edgecnn.layers import TokenEmbedding

    with pytest.raises(ValueError, match="both are 1 or more"):
        TokenEmbedding(0, 8)


def test_int8_with_int32_ids_on_every_runtime(model: Any, tmp_path: Path) -> None:
    """A file without a contract too: what stands for ids at random must be in the table."""
    from edgecnn.bench.child import latency_inputs
    from edgecnn.export.onnx_export import finish, onnx_from_tflite
    from edgecnn.quantization.convert import convert
    from edgecnn.runtimes import load_session
    from firmware_export.compiler import compile_model

    path = tmp_path / "ids.tflite"
    path.write_bytes(convert(model, np.tile(IDS, (20, 1))).int8_tflite)
    graph = read_graph(path)
    assert [node.op for node in graph.nodes].count("GATHER") == 1
    assert graph.tensors[graph.inputs[0]].dtype == "int32"
    assert graph.tensors[graph.outputs[0]].dtype == "int8"
    assert {"LESS", "SELECT", "SELECT_V2"}.isdisjoint(node.op for node in graph.nodes)
    assert compile_model(path.read_bytes(), "ids", "ids", ()).files

    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    onnx.save_model(finish(onnx_from_tflite(path), None, "ids"), tmp_path / "ids.onnx")
    outputs = []
    for runtime, file in (("litert", path), ("litert-ref", path), ("onnxruntime", tmp_path / "ids.onnx")):
        session = load_session(runtime, file)
        inputs = latency_inputs(session, None, None)
        assert {int(value) for sample in inputs for value in sample.ravel()} == {0, 1}
        outputs.append([session.run(sample).astype(int) for sample in inputs])
    assert np.max(np.abs(np.diff(outputs, axis=0))) <= 3    # steps; FACTS of QDQ and of XNNPACK


def test_a_file_of_ids_without_a_contract_says_what_is_missing() -> None:
    end_in = TensorContract(name="ids", shape=(1, 6), dtype="int32")
    end_out = TensorContract(name="out", shape=(1, 2), dtype="int8", scale=1 / 256, zero_point=-128)
    with pytest.raises(EdgecnnError, match="which word has which id"):
        infer_contract(Path("ids.tflite"), end_in, end_out, ("ham", "spam"))
