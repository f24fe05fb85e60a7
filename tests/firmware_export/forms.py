"""A network in every form that its layers can have, whatever a goal would choose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from firmware_export.choice.forms import forms_of, with_forms
from firmware_export.compiler import Compiled, compile_model, lowered
from firmware_export.emit import emit
from firmware_export.schedule import plan


def every_form(data: bytes, instruction_set: str) -> Iterator[Compiled]:
    """With each layer's first form, with the second ones, and so on; a layer that has fewer with its last."""
    compiled = compile_model(data, "net", "net", instruction_set=instruction_set)
    program = lowered(compiled.prepared, "net", instruction_set)
    forms = [forms_of(layer) for layer in program.layers]
    for rank in range(max(map(len, forms), default=0)):
        planned = plan(with_forms(program, [own[min(rank, len(own) - 1)] for own in forms]))
        yield replace(compiled, plan=planned, files=emit(planned, ""))
