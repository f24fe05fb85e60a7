"""The arena over time as an ``<svg>``: which bytes hold what while which layer runs.

Drawn here and not by matplotlib, because ``edgecnn export`` writes it too and asks for no extra.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from edgecnn.formats import count
from edgecnn.memory_plan import MemoryPlan, PlannedBuffer, is_streamed

WIDTH, HEIGHT = 440, 330
"""Of the picture, in the units of its text; as the other charts of the report."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 436, 38, 286
_FONT, _SMALL = 11.0, 9.5
_NARROWEST = 14.0
"""Width of a segment that takes next to no time."""
_LETTER = 0.56
"""Mean width of a character, as a share of the font size."""

_COLOURS = {
    "whole": "var(--first)", "ring": "var(--second)", "sums": "var(--third)", "scratch": "var(--muted)",
    "input": "var(--muted)",
}
_WORDS = {"whole": "whole", "ring": "ring of rows", "sums": "sums", "scratch": "scratch", "input": "pushed rows"}

_STYLE = """\
<style>
svg { color-scheme: light dark; background: #ffffff; color: #1f2328; font-family: system-ui, sans-serif;
  --muted: #59636e; --grid: #d8dee4; --first: #1f5fbf; --second: #c2570c; --third: #a3246b; }
@media (prefers-color-scheme: dark) {
  svg { background: #161b22; color: #e6edf3;
    --muted: #9aa4af; --grid: #343b44; --first: #79b0ff; --second: #f2a65a; --third: #f28dc4; }
}
</style>
"""


def memory_picture(plan: MemoryPlan) -> str:
    """An ``<svg>`` element for the report's page, whose colours and font it takes."""
    return _svg(plan, 'class="chart" width="440" height="330"', "")


def memory_file(plan: MemoryPlan, title: str) -> str:
    """The same as a file that stands alone, light or dark as the reader's screen is.

    Args:
        plan: What is drawn.
        title: What it is of, such as the model's name.
    """
    attributes = f'xmlns="http://www.w3.org/2000/svg" width="{2 * WIDTH}" height="{2 * HEIGHT}"'
    return _svg(plan, attributes, _STYLE, f"{title}: memory plan") + "\n"


def in_words(plan: MemoryPlan) -> str:
    """What the picture shows, in sentences."""
    if not plan.buffers:
        return "The network needs no memory beside its input and output."
    said = []
    streamed = [segment for segment in plan.segments if is_streamed(segment)]
    for segment in streamed[:3]:
        first, last = (plan.layers[index].name for index in (segment.layers[0], segment.layers[-1]))
        said.append(f"{len(segment.layers)} layers, {first} to {last}, run row by row together.")
    if len(streamed) > 3:
        said.append(f"So do {len(streamed) - 3} more groups of layers.")
    largest = max(plan.buffers, key=lambda buffer: buffer.bytes)
    said.append(f"The largest buffer, {count(largest.bytes)} bytes, is {_owner(plan, largest)}.")
    return " ".join(said)


@dataclass(frozen=True)
class _Scale:
    """From work and bytes to the picture. ``edges[n]`` is where segment n begins; the last one, where all ends."""

    edges: tuple[float, ...]
    bytes: int

    def x(self, segment: int, share: float) -> float:
        return self.edges[segment] + share * (self.edges[segment + 1] - self.edges[segment])

    def y(self, offset: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * offset / max(1, self.bytes)


def _svg(plan: MemoryPlan, attributes: str, style: str, title: str = "Memory plan") -> str:
    scale = _Scale(_edges(plan), max(plan.arena_bytes, plan.lower_bound_bytes))
    described = f"The arena of {count(plan.arena_bytes)} bytes over time. {in_words(plan)}"
    lines = [
        f'<svg {attributes} viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="memory-title memory-desc">',
        f'<title id="memory-title">{escape(title)}</title><desc id="memory-desc">{escape(described)}</desc>',
        *([style.rstrip("\n")] if style else []),
        *_legend(plan),
        *_byte_axis(scale),
        *_segments(plan, scale),
        *(line for buffer in plan.buffers for line in _block(plan, scale, buffer)),
        *_layer_axis(plan, scale),
        *_limits(plan, scale),
        "</svg>",
    ]
    return "\n".join(lines)


def _edges(plan: MemoryPlan) -> tuple[float, ...]:
    """Segments as wide as their work, and none too narrow to be seen."""
    width, number = _RIGHT - _LEFT, max(1, len(plan.segments))
    least = min(_NARROWEST, 0.6 * width / number)
    whole = sum(segment.work for segment in plan.segments) or 1.0
    edges = [float(_LEFT)]
    for segment in plan.segments:
        edges.append(edges[-1] + least + (width - number * least) * segment.work / whole)
    return tuple(edges)


def _legend(plan: MemoryPlan) -> Iterator[str]:
    x = float(_LEFT)
    kinds = {buffer.kind for buffer in plan.buffers}
    for kind, word in _WORDS.items():
        if kind in kinds:
            yield _rectangle(x, 8, 12, 10, kind)
            yield _text(x + 16, 17, word)
            x += 16 + _LETTER * _FONT * len(word) + 14


def _byte_axis(scale: _Scale) -> Iterator[str]:
    for tick in _ticks(scale.bytes):
        y = scale.y(tick)
        yield f'<path d="M{_LEFT} {y:.1f}H{_RIGHT}" stroke="var(--grid)" stroke-width="0.8"/>'
        yield _text(_LEFT - 5, y + 4, count(tick), anchor="end")
    yield _text(_LEFT - 5, 17, "bytes", anchor="end", colour="var(--muted)")


def _ticks(top: int) -> list[int]:
    """0 and at most six round numbers up to ``top``."""
    step = 10 ** max(0, math.floor(math.log10(max(1, top))) - 1)
    step = next(factor * step for factor in (1, 2, 5, 10, 20, 50, 100) if top / (factor * step) <= 6)
    return list(range(0, top + 1, step))


def _segments(plan: MemoryPlan, scale: _Scale) -> Iterator[str]:
    """A line where a segment begins, and a bar under those whose layers run row by row."""
    for number, segment in enumerate(plan.segments):
        left, right = scale.x(number, 0), scale.x(number, 1)
        if number:
            yield f'<path d="M{left:.1f} {_TOP}V{_BOTTOM}" stroke="var(--grid)" stroke-width="0.8"/>'
        if is_streamed(segment):
            bar = f'<rect x="{left + 1:.1f}" y="{_BOTTOM + 18}" width="{right - left - 2:.1f}" height="3" '
            yield bar + 'rx="1.5" fill="var(--second)"><title>row by row</title></rect>'
            if right - left > 65:
                yield _text((left + right) / 2, _BOTTOM + 33, "row by row", anchor="middle", colour="var(--muted)")


def _layer_axis(plan: MemoryPlan, scale: _Scale) -> Iterator[str]:
    """The layers of each segment, as far as their numbers keep apart."""
    free = _LEFT - 2.0
    for number, segment in enumerate(plan.segments):
        first, last = segment.layers[0], segment.layers[-1]
        label = str(first) if first == last else f"{first}–{last}"
        middle, half = (scale.x(number, 0) + scale.x(number, 1)) / 2, 0.5 * _LETTER * _FONT * len(label)
        if middle - half >= free:
            yield _text(middle, _BOTTOM + 13, label, anchor="middle")
            free = middle + half + 4
    yield _text(_LEFT - 5, _BOTTOM + 13, "layer", anchor="end", colour="var(--muted)")


def _limits(plan: MemoryPlan, scale: _Scale) -> Iterator[str]:
    words = f"arena {count(plan.arena_bytes)}"
    if plan.lower_bound_bytes != plan.arena_bytes:
        y = scale.y(plan.lower_bound_bytes)
        yield f'<path d="M{_LEFT} {y:.1f}H{_RIGHT}" stroke="currentColor" stroke-width="1" stroke-dasharray="4 3"/>'
        words += f", lower bound {count(plan.lower_bound_bytes)} (dashed)"
    y = scale.y(plan.arena_bytes)
    yield f'<path d="M{_LEFT} {y:.1f}H{_RIGHT}" stroke="currentColor" stroke-width="1.2"/>'
    yield _text(_RIGHT, y - 4, words, anchor="end")


def _block(plan: MemoryPlan, scale: _Scale, buffer: PlannedBuffer) -> Iterator[str]:
    """Pale where it is reserved, full from the first row that is written to the last one that is read."""
    left, right = scale.x(buffer.first, 0), scale.x(buffer.last, 1)
    begin, end = scale.x(buffer.first, buffer.written), scale.x(buffer.last, buffer.read)
    top, bottom = scale.y(buffer.offset + buffer.bytes), scale.y(buffer.offset)
    owner, words = _owner(plan, buffer), f"{count(buffer.bytes)} bytes at {count(buffer.offset)}"
    colour = _COLOURS[buffer.kind]
    for x, width in ((left, begin - left), (end, right - end)):
        if width > 0.3:
            area = f'x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{max(bottom - top, 0.5):.1f}"'
            yield f'<rect {area} fill="{colour}" fill-opacity="0.07"/>'
    yield _rectangle(begin, top, end - begin, bottom - top, buffer.kind, f"{owner}: {words}")
    if bottom - top >= _SMALL:
        number = ", ".join(map(str, buffer.layers))
        forms = (f"{owner}, {count(buffer.bytes)}", owner, number)
        label = next((form for form in forms if _LETTER * _SMALL * len(form) + 4 <= end - begin), "")
        if label:
            yield _text((begin + end) / 2, (top + bottom) / 2 + 0.36 * _SMALL, label, anchor="middle", font=_SMALL)


def _owner(plan: MemoryPlan, buffer: PlannedBuffer) -> str:
    """``conv_2d_2``, or ``conv_2d_2, add_1`` where one is made in place of the other; with what it is if no output."""
    names = _named(plan, buffer.layers)
    return f"{_WORDS[buffer.kind]} of {names}" if buffer.kind in ("sums", "scratch") else names or _WORDS[buffer.kind]


def _named(plan: MemoryPlan, layers: Sequence[int]) -> str:
    return ", ".join(plan.layers[layer].name for layer in layers)


def _rectangle(x: float, y: float, width: float, height: float, kind: str, title: str = "") -> str:
    colour = _COLOURS[kind]
    dashes = ' stroke-dasharray="3 2"' if kind == "ring" else ""
    inner = f"<title>{escape(title)}</title>" if title else ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{max(height, 0.5):.1f}" '
        f'fill="{colour}" fill-opacity="0.22" stroke="{colour}" stroke-width="0.9"{dashes}>{inner}</rect>'
    )


def _text(
    x: float, y: float, text: str, anchor: str = "start", font: float = _FONT, colour: str = "currentColor"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{font:g}" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(text)}</text>"
    )
