"""gcc 12 makes wrong predicates for Helium out of loops with known conditions; the emitted C keeps it from that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.mcu.image import Form, build_image
from edgecnn.mcu.interface import interface_of
from edgecnn.mcu.running import run_image
from edgecnn.mcu.targets import load_target
from edgecnn.mcu.toolchain import MissingToolError, require_tools
from firmware_export.compiler import compile_model
from firmware_export.tflite import read_model
from tests.firmware_export.evaluation import evaluate
from tests.networks import Network

TIME_LIMIT_S = 60.0


def known_rows() -> bytes:
    """So few rows that gcc unrolls the loop over them and knows for each whether it exists.

    Two convolutions, so that their kernel is no part of that loop; two inputs, so that none is handed over in rows.
    """
    random = np.random.default_rng(1)
    network = Network()
    value, depth = network.input((1, 4, 3, 5), 0.05, 3), 5
    for size, channels, window in (((2, 1), 7, (4, 4)), ((1, 1), 21, (5, 5))):
        weights = network.constant(random.integers(-127, 128, (channels, *window, depth)).astype(np.int8), 0.01)
        options: dict[str, Any] = {"padding": "SAME", "stride_w": 3, "stride_h": 2}
        options |= {"dilation_w_factor": 1, "dilation_h_factor": 1}
        value, depth = network.op("CONV_2D", [value, weights], (1, *size, channels), 0.2, 0, **options), channels
    other = network.input((1, 1, 1, 21), 0.2)
    return network.pack(network.op("ADD", [value, other], (1, 1, 1, 21), 0.2))


@pytest.mark.parametrize("instruction_set", ["portable", "arm_dsp", "arm_mve"])
def test_rows_below_the_image_are_padding(tmp_path: Path, instruction_set: str) -> None:
    target = load_target("cortex-m55")
    try:
        require_tools(target)
    except MissingToolError as missing:
        pytest.skip(str(missing))
    data = known_rows()
    compiled = compile_model(data, "net", "net", instruction_set=instruction_set)
    image = build_image(compiled.files, interface_of(compiled.plan), target, tmp_path, Form("-O2"))
    random = np.random.default_rng(2)
    inputs = [random.integers(-128, 128, (1, *shape)).astype(np.int8) for shape in ((1, 4, 3, 5), (1, 1, 1, 21))]
    (found,) = run_image(image, inputs, TIME_LIMIT_S).outputs
    (expected,) = evaluate(read_model(data), *(batch[0] for batch in inputs))
    assert np.array_equal(found[0], expected)
