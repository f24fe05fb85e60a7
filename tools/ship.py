"""Put a trained run into the zoo: its int8 model and contract beside ``model.py``, its figures on the card.

    python tools/ship.py runs/lenet5/latest
    python tools/ship.py                      the README's table of models alone

The run must be quantized. The card's text between ``<!-- figures -->`` and ``<!-- /figures -->`` is replaced; a card
without the markers is refused. A model above 600 kB is not shipped: its card gets the figures alone. A test
(``tests/models/test_cards.py``) holds the card against the shipped file.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path

from edgecnn.errors import EdgecnnError
from edgecnn.export.c_source import CSource, c_source
from edgecnn.files import write_text
from edgecnn.formats import count, percent, size
from edgecnn.runs import CONTRACT, INT8_TFLITE, Quantization, RunInfo, Training, find_run
from edgecnn.summary import summarize
from edgecnn.tflite_file import read_graph
from edgecnn.zoo import SHIPPED, find_model, zoo

LARGEST = 600_000
"""Bytes of an int8 file that the zoo still carries."""

BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
TARGET = "cortex-m4"
SHORT = {
    "accuracy": "accuracy",
    "accuracy of pixels": "of pixels",
    "area under the ROC curve": "AUC",
}
"""Rows of a card that the README's table shows, and how."""

TITLES = {"auc": "area under the ROC curve", "macro_f1": "mean F1 of the classes", "mean_iou": "mean IoU"}


def figures(info: RunInfo, model: Path) -> str:
    """The card's section, from a run and its int8 file."""
    assert info.quantization is not None
    source = c_source(model, info.model, target=TARGET)
    facts = [*_network(model, source), ("training", _training(info.training))]
    if info.training is not None:
        facts.insert(0, ("parameters", count(info.training.parameters)))
    lines = ["", "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts), ""]
    return "\n".join([*lines, *_quality(info, info.quantization), ""])


def _network(model: Path, source: CSource) -> list[tuple[str, str]]:
    memory, summary = source.memory, summarize(read_graph(model))
    facts = [
        ("MACs of one inference", count(summary.macs)),
        ("int8 file", f"{count(model.stat().st_size)} bytes"),
        ("weights in int8", f"{count(memory.weight_bytes)} bytes"),
        ("arena of the C source", f"{count(memory.arena_bytes)} bytes"),
    ]
    if memory.push_arena_bytes is not None:
        facts.append(("the same, input row by row", f"{count(memory.push_arena_bytes)} bytes"))
    if memory.tflm_arena_bytes is not None:
        facts.append(("arena of TFLite Micro", f"{count(memory.tflm_arena_bytes)} bytes, measured on x86-64"))
    if (sizes := source.sizes) is not None:
        code = f"of which code {count(sizes.code_bytes)}"
        facts.append((f"flash on {sizes.target} at {sizes.optimization}", f"{count(sizes.flash_bytes)} bytes, {code}"))
        facts.append(("stack there", f"{count(sizes.stack_bytes)} bytes"))
    return facts


def _training(training: Training | None) -> str:
    if training is None:
        return "none: the weights are given"
    spent = f"{training.seconds / 60:.1f} min" if training.seconds >= 90 else f"{training.seconds:.0f} s"
    return f"{training.epochs} epochs, epoch {training.best_epoch} kept, {spent} on an x86-64 server"


def _quality(info: RunInfo, found: Quantization) -> list[str]:
    data = info.data.source if info.data is not None else ""
    jpeg = ", images recompressed as JPEG" if "JPEG" in data else ""
    on = f"On the {count(found.samples)} test samples of `{info.recipe.data.set}`{jpeg}"
    if info.recipe.model.task == "filter":
        assert found.psnr_db is not None and found.largest_error_steps is not None
        return [
            f"{on}, int8 outputs are {found.psnr_db:.1f} dB (PSNR) from the float ones, the worst is wrong by "
            f"{found.largest_error_steps:.1f} steps of int8."
        ]
    what = "pixels" if info.recipe.model.task == "segmentation" else "samples"
    rows = [
        (
            "accuracy" if what == "samples" else "accuracy of pixels",
            _with_interval(found.float_accuracy, found.float_accuracy_low, found.float_accuracy_high),
            _with_interval(found.accuracy, found.accuracy_low, found.accuracy_high),
        )
    ]
    for name, value in found.metrics.items():
        rows.append((TITLES.get(name, name), f"{found.float_metrics[name]:.4f}", f"{value:.4f}"))
    if len(found.class_f1) == 2:
        for label, value in found.class_f1.items():
            rows.append((f"F1 of {label}", f"{found.float_class_f1[label]:.4f}", f"{value:.4f}"))
    drop, low, high = (round(value * 100, 2) + 0.0 for value in (found.drop, found.drop_low, found.drop_high))
    return [
        f"{on}, with 95 % intervals:",
        "",
        "| | float | int8 |",
        "|---|---|---|",
        *(f"| {name} | {before} | {after} |" for name, before, after in rows),
        "",
        f"From float to int8 the accuracy falls by {drop:.2f} points ({low:.2f} to {high:.2f}).",
    ]


def _with_interval(value: float, low: float, high: float) -> str:
    return f"{percent(value)} ({low * 100:.2f} to {high * 100:.2f})"


def ship(reference: str) -> list[str]:
    """Ship a run; what was done, a sentence each.

    Raises:
        EdgecnnError: The run is not quantized, its model is not of the zoo, or its card has no place for figures.
    """
    run = find_run(reference)
    info = run.info
    model = run.require(INT8_TFLITE, f"edgecnn quantize {run.path}")
    folder = find_model(info.model)
    card = folder.path / "README.md"
    text = folder.card
    if not re.search(f"{BEGIN}.*?{END}", text, flags=re.DOTALL):
        raise EdgecnnError(f"{card}: no {BEGIN} and {END} in it, so there is no place for the figures.")
    section = figures(info, model)
    write_text(card, re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n{section}\n{END}", text, flags=re.DOTALL))
    done = [f"wrote {card}"]
    if model.stat().st_size < LARGEST:
        shutil.copyfile(model, folder.path / SHIPPED)
        shutil.copyfile(run.file(CONTRACT), folder.path / CONTRACT)
        done.append(f"wrote {folder.path / SHIPPED} ({size(model.stat().st_size)})")
    else:
        done.append(f"{model.name} has {size(model.stat().st_size)}, more than {size(LARGEST)}: not shipped")
    return done


def zoo_table() -> str:
    """The zoo as a Markdown table, from recipes and cards."""
    rows = ["| Model | Data | What it is | int8, on the test split | int8 file | Arena |", "|---|---|---|---|---|---|"]
    for model in zoo():
        recipe, card = model.recipe(), card_figures(model.card)
        quality = ", ".join(f"{card[name][1].split(' (')[0]} {short}" for name, short in SHORT.items() if name in card)
        file, arena = (card.get(name, [""])[0] for name in ("int8 file", "arena of the C source"))
        mark = " ●" if model.shipped.is_file() else ""
        cells = (f"`{model.name}`{mark}", recipe.data.set, recipe.model.description, quality, file, arena)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def card_figures(card: str) -> dict[str, list[str]]:
    """The rows of the tables between the markers of a card: first cell to the others."""
    section = re.search(f"{BEGIN}(.*?){END}", card, flags=re.DOTALL)
    found = {}
    for line in section[1].splitlines() if section is not None else []:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) > 1 and cells[0]:
            found[cells[0]] = cells[1:]
    return found


def write_table(readme: Path) -> None:
    """Put the table between ``<!-- zoo -->`` and ``<!-- /zoo -->`` of the README."""
    text = readme.read_text(encoding="utf-8")
    table = f"<!-- zoo -->\n{zoo_table()}\n<!-- /zoo -->"
    write_text(readme, re.sub("<!-- zoo -->.*?<!-- /zoo -->", lambda _: table, text, flags=re.DOTALL))


def main() -> int:
    """Ship the runs named on the command line, and bring the README's table up to date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", nargs="*", help="a run folder, or a model's name for its latest run")
    try:
        for reference in parser.parse_args().run:
            print("\n".join(ship(reference)))
        write_table(Path(__file__).resolve().parents[1] / "README.md")
    except EdgecnnError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
