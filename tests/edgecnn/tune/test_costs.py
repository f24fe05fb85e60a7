"""What a network costs is known before it is trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.keras_quiet import import_keras
from edgecnn.memory_plan import memory_plan
from edgecnn.quantization.convert import convert
from edgecnn.tune.objectives import measure_costs
from edgecnn.zoo import build_model, find_model
from firmware_export.compiler import compile_model

TARGET = "cortex-m4" if shutil.which("arm-none-eabi-gcc") else None


@pytest.mark.slow
def test_an_untrained_network_costs_what_the_trained_one_does(digits_run: Path) -> None:
    import_keras()
    model = find_model("digits_tiny")
    built = build_model(model.source, model.recipe().model, (8, 8, 1), 10)
    costs = measure_costs(built, np.random.default_rng(0).random((8, 8, 8, 1), np.float32), None)
    memory = json.loads((digits_run / "run.json").read_text())["c_source"]["memory"]
    assert costs.arena == memory["arena_bytes"]
    assert costs.macs == memory["macs"] == 25_600
    # The table of SOFTMAX is as long as the scale of its input asks for, which training decides: 256 words at most.
    assert memory["weight_bytes"] < costs.flash <= memory["weight_bytes"] + 4 * 256


@pytest.mark.slow
def test_a_fresh_normalization_is_not_taken_for_nothing() -> None:
    """Of a batch normalization in front of a padded layer an ADD stays, which is lost where it changes nothing."""
    keras = import_keras()
    layers = keras.layers

    def build() -> Any:
        return keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                layers.Conv2D(8, 3, activation="relu"),
                layers.BatchNormalization(),
                layers.Conv2D(4, 3, padding="same", activation="relu"),
                layers.Flatten(),
                layers.Dense(10, activation="softmax"),
            ]
        )

    generator = np.random.default_rng(0)
    x = generator.random((256, 8, 8, 1), np.float32)
    trained = build()
    trained.compile("adam", "sparse_categorical_crossentropy")
    trained.fit(x, generator.integers(0, 10, 256), epochs=1, verbose=0)
    compiled = compile_model(convert(trained, x[:8]).int8_tflite, "trained", "model")
    assert [layer.op for layer in compiled.plan.program.layers].count("ADD") == 1
    plan = memory_plan(compiled.plan)
    costs = measure_costs(build(), x[:8], TARGET)
    assert (costs.arena, costs.macs) == (plan.arena_bytes, plan.macs)
    constants = plan.weight_bytes + plan.lookup_bytes
    assert costs.flash == constants if TARGET is None else costs.flash > constants + 500    # and the code
