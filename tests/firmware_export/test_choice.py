"""Which forms are chosen: goals and budgets on random networks, and what a choice says of itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from edgecnn.mcu.image import Form, build_image
from edgecnn.mcu.interface import interface_of
from edgecnn.mcu.running import run_image, time_limit
from edgecnn.mcu.samples import random_samples
from edgecnn.mcu.targets import load_target
from edgecnn.mcu.toolchain import MissingToolError, require_tools
from firmware_export.choice import Goal, Optimize
from firmware_export.choice.costs import load_costs
from firmware_export.choice.forms import ranked_forms
from firmware_export.compiler import Compiled, compile_model, lowered
from firmware_export.errors import ModelError
from tests.firmware_export.evaluation import evaluate
from tests.firmware_export.random_networks import random_network
from tests.small_networks import convolutions

SET = "arm_dsp"
SEEDS = range(14)
GOALS: tuple[Optimize, ...] = get_args(Optimize)
USUAL = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "FULLY_CONNECTED", "MAX_POOL_2D", "AVERAGE_POOL_2D"})


def compiled(data: bytes, goal: Goal) -> Compiled:
    return compile_model(data, "net", "net", instruction_set=SET, optimize=goal)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_goal_is_best_at_what_it_is_for(seed: int) -> None:
    data = random_network(seed, growths=6, only=USUAL).data
    found = {optimize: compiled(data, Goal(optimize)) for optimize in GOALS}
    arenas = {optimize: one.plan.arena_bytes for optimize, one in found.items()}
    assert arenas["ram"] == min(arenas.values())
    assert arenas["balanced"] <= arenas["ram"] + max(arenas["ram"] * 3 // 8, 2048)
    instructions = {optimize: _instructions(one) for optimize, one in found.items()}
    assert instructions["speed"] <= min(instructions.values()) * 1.001
    flash = {optimize: _flash_for_size(one) for optimize, one in found.items()}
    assert flash["size"] == min(flash.values())


def _instructions(compiled: Compiled) -> float:
    """Of all layers, as the choice compares them: whether or not the planner lets one add up row after row."""
    program = lowered(compiled.prepared, "net", SET)
    total = 0.0
    for layer, pick in zip(program.layers, compiled.choice.picks, strict=True):
        forms = ranked_forms(layer, load_costs("cortex-m4"))
        total += next(form.instructions for form in forms if pick.layer in (form.layer, form.layer.accumulating))
    return total


def _flash_for_size(compiled: Compiled) -> int:
    """What all would take if they were built with -Os, as ``size`` is."""
    costs = load_costs("cortex-m4")
    assert costs is not None
    picks = compiled.choice.picks
    return sum(pick.weight_bytes for pick in picks) + costs.code([pick.layer for pick in picks], for_size=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_budgets_are_kept_or_refused_with_the_nearest(seed: int) -> None:
    data = random_network(seed, growths=6, only=USUAL).data
    least = compiled(data, Goal("ram")).plan.arena_bytes
    most = compiled(data, Goal("speed")).plan.arena_bytes
    for optimize in GOALS:
        for ram in sorted({least, (least + most) // 2, most}):
            assert compiled(data, Goal(optimize, ram=ram)).plan.arena_bytes <= ram
        if least:
            with pytest.raises(ModelError, match=f"--ram {least - 1}: the smallest arena .* is {least:,} bytes"):
                compiled(data, Goal(optimize, ram=least - 1))
    small = compiled(data, Goal("size")).choice.flash_bytes
    fast = compiled(data, Goal("speed")).choice.flash_bytes
    assert small is not None and fast is not None
    for flash in (fast, (small + fast) // 2 + 1):
        try:
            kept = compiled(data, Goal("speed", flash=flash)).choice.flash_bytes
        except ModelError as error:
            assert f"--flash {flash}: the least code and weights" in str(error)    # -O2: small is for -Os
        else:
            assert kept is not None and kept <= flash


def test_a_choice_is_the_same_every_time() -> None:
    data = random_network(3, growths=12, only=USUAL).data
    for optimize in GOALS:
        assert compiled(data, Goal(optimize)).files == compiled(data, Goal(optimize)).files


def test_both_budgets_at_once() -> None:
    data = convolutions()
    least, fast = compiled(data, Goal("ram")), compiled(data, Goal("speed"))
    assert fast.choice.flash_bytes is not None
    goal = Goal("speed", ram=least.plan.arena_bytes, flash=fast.choice.flash_bytes)
    found = compiled(data, goal)
    assert found.plan.arena_bytes == least.plan.arena_bytes
    assert found.choice.flash_bytes is not None and found.choice.flash_bytes <= fast.choice.flash_bytes
    with pytest.raises(ModelError, match=r"--flash 100: the least code and weights .* in an arena of"):
        compiled(data, dataclasses.replace(goal, flash=100))


def test_a_choice_says_why() -> None:
    choice = compiled(convolutions(), Goal("ram")).choice
    assert len(choice.picks) == len(choice.plan.program.layers)
    for pick in choice.picks:
        assert pick.why.startswith(("the only form", "the fastest of ")) or " bytes more of " in pick.why
    assert choice.core == "cortex-m4"
    other = compiled(convolutions(), Goal("ram", core="cortex-m3")).choice
    assert [pick.layer for pick in other.picks] == [pick.layer for pick in choice.picks]


def test_every_goal_is_exact(tmp_path: Path) -> None:
    target = load_target("cortex-m4")
    try:
        require_tools(target)
    except MissingToolError as missing:
        pytest.skip(str(missing))
    data = random_network(3, growths=6, only=USUAL).data
    for optimize in GOALS:
        network = compiled(data, Goal(optimize))
        inputs = random_samples(network.graph, 2)
        folder = tmp_path / optimize
        folder.mkdir()
        form = Form("-Os" if optimize == "size" else "-O2")
        image = build_image(network.files, interface_of(network.plan), target, folder, form)
        outputs = run_image(image, inputs, time_limit(target, 2, 1_000_000)).outputs
        for sample in range(2):
            wanted = evaluate(network.graph, *(batch[sample] for batch in inputs))
            for results, right in zip(outputs, wanted, strict=True):
                assert np.array_equal(results[sample].reshape(right.shape), right)
