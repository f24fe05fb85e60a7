"""The search for the form of each layer that meets limits of the arena and of flash.

What a selection takes of flash is a sum, so it is improved move by move: another form for one layer, or no layer with
some kernel any more. What it takes of the arena only the planner knows. As scratch memory is shared by the layers of a
segment, forms are first allowed by how much each needs, which takes a handful of plans; what a segment then leaves free
goes to the forms that save most instructions.
"""

from __future__ import annotations

from collections.abc import Sequence

from firmware_export.choice.selection import Selection, Selections
from firmware_export.memory import aligned

SINGLE_TRIES = 4
"""Plans that are made to find which layers what is free in the arena goes to."""


def within_arena(selections: Selections, limit: int) -> Selection:
    """The fastest forms that the arena allows; those that need the least memory must fit.

    Args:
        selections: The program's.
        limit: Bytes.
    """
    if selections.fits(selections.fastest, limit):
        return selections.fastest
    best = selections.lean
    caps = sorted({form.memory for forms in selections.forms for form in forms})
    first, last = 0, len(caps) - 1
    while first < last:    # the largest need that each form may have alike
        middle = (first + last + 1) // 2
        trial = _capped(selections, [caps[middle]] * len(best))
        if selections.fits(trial, limit):
            best, first = trial, middle
        else:
            last = middle - 1
    return _filled(selections, best, limit)


def _capped(selections: Selections, memory: Sequence[int]) -> Selection:
    """The fastest forms that need no more memory than each layer may have."""
    chosen = []
    for forms, lean, most in zip(selections.forms, selections.lean, memory, strict=True):
        chosen.append(next((index for index in range(lean) if forms[index].memory <= most), lean))
    return tuple(chosen)


def _filled(selections: Selections, begin: Selection, limit: int) -> Selection:
    """``begin`` with faster forms where segments have room for them."""
    free = [form.memory for form in selections.chosen(begin)]
    now = selections.plan(begin)
    used = [0] * len(now.segments)    # without scratch memory
    for buffer in now.buffers:
        if buffer.kind != "scratch":
            for number in range(buffer.first, buffer.last + 1):
                used[number] += aligned(buffer.bytes)
    for number, segment in enumerate(now.segments):
        for layer in segment.layers:
            free[layer] = max(free[layer], limit - used[number])
    wanted = _capped(selections, free)
    if selections.fits(wanted, limit):
        return wanted
    pairs = zip(selections.chosen(begin), selections.chosen(wanted), strict=True)
    gains = [old.instructions - new.instructions for old, new in pairs]
    changed = [layer for layer in range(len(begin)) if wanted[layer] != begin[layer]]
    best = begin
    for layer in sorted(changed, key=lambda layer: -gains[layer])[:SINGLE_TRIES]:
        trial = (*best[:layer], wanted[layer], *best[layer + 1 :])
        if selections.fits(trial, limit):
            best = trial
    return best


def within_flash(selections: Selections, begin: Selection, limit: int, arena: int | None) -> Selection | None:
    """``begin`` with smaller forms, where they cost the fewest instructions for a byte.

    Args:
        selections: The program's.
        begin: Where to start; it keeps ``arena``.
        limit: Bytes.
        arena: The largest arena; None for any.

    Returns:
        None if none was found.
    """
    here, taken = begin, selections.flash(begin)
    while taken > limit:
        moves = [
            (move.instructions / min(-move.flash, taken - limit), move.to)
            for move in selections.moves(here)
            if move.flash < 0 and (arena is None or selections.needs_no_more(move.to, here))
        ]
        if not moves:
            return None
        _, here = min(moves)
        taken = selections.flash(here)
    return here


def faster(selections: Selections, here: Selection, flash: int, arena: int | None) -> Selection:
    """``here`` with faster forms, as far as both limits allow: the most instructions for a byte first.

    Args:
        selections: The program's.
        here: Where to start; it keeps both limits.
        flash: Bytes.
        arena: Bytes; None for any number.
    """
    tries = SINGLE_TRIES
    while True:
        room = flash - selections.flash(here)
        moves = sorted(
            (move.instructions / max(1, move.flash), move.to)
            for move in selections.moves(here)
            if move.instructions < 0 and move.flash <= room
        )
        for _, to in moves:
            if arena is not None and not selections.needs_no_more(to, here):
                tries -= 1
                if tries < 0 or not selections.fits(to, arena):
                    continue
            here = to
            break
        else:
            return here


def smallest(selections: Selections, arena: int | None) -> Selection:
    """The least flash; of what takes the same, what needs the least memory, and then the fastest.

    Args:
        selections: The program's.
        arena: The largest arena, which the forms that need the least memory keep; None for any.
    """
    begins = [selections.lean]
    if arena is None:
        begins += [
            selections.select(lambda form: (form.weights, form.memory)),
            tuple(len(forms) - 1 for forms in selections.forms),
        ]
    found = [_smaller(selections, begin, arena) for begin in begins]
    return min(found, key=lambda one: (selections.flash(one), selections.instructions(one)))


def _smaller(selections: Selections, here: Selection, arena: int | None) -> Selection:
    while True:
        moves = [
            (move.flash, move.memory, move.instructions, move.to)
            for move in selections.moves(here)
            if arena is None or selections.needs_no_more(move.to, here)
        ]
        *change, to = min(moves, default=(0, 0, 0.0, here))
        if tuple(change) >= (0, 0, 0.0):
            return here
        here = to
