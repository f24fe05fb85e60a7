"""Training in bfloat16 where the recipe asks for it: faster on processors that have it, same weights in float32."""

from __future__ import annotations

from typing import Any

from edgecnn.keras_quiet import import_keras


def in_precision(model: Any, precision: str) -> Any:
    """A model that computes as ``train.precision`` says, with weights of its own, initialised alike.

    ``mixed_bfloat16`` computes in bfloat16 and keeps weights in float32 (Micikevicius et al. 2018, Mixed Precision
    Training; bfloat16 has float32's range, so no loss scaling is needed). The output layer stays float32: a softmax in
    eight bits of mantissa would coarsen the gradient.

    Args:
        model: A built ``keras.Model`` in float32.
        precision: ``float32`` or ``mixed_bfloat16``.

    Returns:
        ``model`` itself for float32, otherwise a clone whose ``variables`` stand in the same order.
    """
    if precision == "float32":
        return model
    keras = import_keras("training")
    last = {id(tensor._keras_history.operation) for tensor in model.outputs}

    def clone(layer: Any) -> Any:
        config = layer.get_config()
        if id(layer) not in last and not isinstance(layer, keras.layers.InputLayer):
            config["dtype"] = precision
        return layer.__class__.from_config(config)

    cloned = keras.models.clone_model(model, clone_function=clone)
    cloned.set_weights(model.get_weights())
    return cloned
