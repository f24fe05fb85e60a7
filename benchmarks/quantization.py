"""What each way of quantizing costs in accuracy, over trained runs: a table for the eye and JSON lines for a file.

    python benchmarks/quantization.py                     every model of the zoo that has a run
    python benchmarks/quantization.py lenet5 runs/har_watch/* --ways int8,ranges,repair,qat=5,int16x8,auto

Float and quantized files are compared on the whole test split; training samples choose ranges and repairs, validation
samples whether training with rounding is kept, and which means ``auto`` (``edgecnn quantize --auto``) takes. Of several
runs of a model the table has the mean. A line is written for every run and way as soon as it is known, and what stands
in ``--out`` already is not computed again. The runs stay as they are. QAT takes the run's own augmentation and costs
epochs.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edgecnn.data import open_dataset
from edgecnn.errors import EdgecnnError
from edgecnn.quantization.convert import Form
from edgecnn.quantization.improve import Asked
from edgecnn.quantize_run import How, climb, quantize_stage
from edgecnn.runs import KERAS, Quantization, Run, find_run, has_run
from edgecnn.zoo import zoo
from tests.training_runs import Silent

WAYS = {
    "int8": How(),
    "per_tensor": How(Form(per_tensor=True)),
    "ranges": How(asked=Asked("auto")),
    "repair": How(asked=Asked("auto", repair=True)),
    "int16x8": How(Form("int16x8")),
}
TAKEN = ("run.json", "model.py", "base.keras", KERAS)
"""Of a run, what quantization begins with."""


def quantized(run: Run, way: str) -> tuple[str, Quantization]:
    """What a way gives, and what was done: of ``auto`` the means that it took."""
    dataset = open_dataset(run.info.recipe.data)
    if way == "auto":
        epochs = max(1, run.info.recipe.train.epochs // 5)
        _, figures = climb(run, dataset, Silent(), How(qat=epochs))
        return figures.ladder[-1].name, figures
    epochs = int(way.removeprefix("qat=")) if way.startswith("qat=") else 0
    how = How(asked=Asked("auto", repair=True), qat=epochs) if epochs else WAYS[way]
    figures = quantize_stage(run, dataset, Silent(), how)
    return ("not kept" if epochs and not figures.qat_epochs else way), figures


def measure(run: Run, way: str) -> dict[str, Any]:
    """One line."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgecnn-quantization-") as folder:
        for name in TAKEN:
            if run.file(name).is_file():
                shutil.copyfile(run.file(name), Path(folder) / name)
        done, found = quantized(Run(Path(folder)), way)
    return {
        "run": str(run.path),
        "model": run.info.model,
        "seed": run.info.recipe.train.seed,
        "way": "qat" if way.startswith("qat=") else way,
        "done": done,
        "seconds": round(time.monotonic() - begun, 1),
        **found.model_dump(mode="json", exclude={"steps"}),
    }


def mean(lines: Iterable[dict[str, Any]], name: str, scale: float = 100) -> tuple[float, float]:
    """Of a figure over runs, with half of its 95 % interval: that of independent samples."""
    found = [(line[name], max(line[f"{name}_high"] - line[name], line[name] - line[f"{name}_low"])) for line in lines]
    half = math.sqrt(sum(one**2 for _, one in found)) / len(found)
    return scale * sum(one for one, _ in found) / len(found), scale * half


def table(lines: list[dict[str, Any]]) -> str:
    """Points of accuracy lost, a row for each model, with the largest and the mean of each way; as Markdown."""
    ways = list(dict.fromkeys(line["way"] for line in lines))
    rows = [f"| Model | runs | samples | float % | {' | '.join(ways)} |", "|---" * (len(ways) + 4) + "|"]
    drops: dict[str, list[float]] = {way: [] for way in ways}
    for model in dict.fromkeys(line["model"] for line in lines):
        own = [line for line in lines if line["model"] == model]
        first = [line for line in own if line["way"] == own[0]["way"]]
        accuracy, half = mean(first, "float_accuracy")
        cells = []
        for way in ways:
            found = [line for line in own if line["way"] == way]
            if not found:
                cells.append("")
                continue
            drop, reach = mean(found, "drop")
            drops[way].append(drop)
            done = {line["done"] for line in found} - {way}
            cells.append(f"{drop:+.2f} ± {reach:.2f}" + (f" ({', '.join(sorted(done))})" if done else ""))
        samples = first[0]["samples"]
        rows.append(f"| {model} | {len(first)} | {samples:,} | {accuracy:.2f} ± {half:.2f} | {' | '.join(cells)} |")
    for name, figure in (("largest", max), ("mean", lambda found: sum(found) / len(found))):
        rows.append(f"| {name} | | | | {' | '.join(f'{figure(drops[way]):+.2f}' for way in ways)} |")
    return "\n".join(rows)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", nargs="*", help="a run folder, or a model's name for its latest run")
    parser.add_argument("--ways", default=",".join(WAYS), help=f"{', '.join(WAYS)}, qat=EPOCHS, auto")
    parser.add_argument("--out", type=Path, default=Path("quantization.jsonl"))
    asked = parser.parse_args()
    names = asked.run or [one.name for one in zoo() if has_run(one.name)]
    lines = [json.loads(line) for line in asked.out.read_text().splitlines()] if asked.out.is_file() else []
    done = {(line["run"], line["way"]) for line in lines}
    for run in map(find_run, names):
        if run.info.recipe.model.task == "filter":
            continue    # it decides nothing, so it has no accuracy to lose
        for way in asked.ways.split(","):
            if (str(run.path), "qat" if way.startswith("qat=") else way) in done:
                continue
            try:
                line = measure(run, way)
            except EdgecnnError as error:
                print(f"{run.path}, {way}: {error}", file=sys.stderr)
                continue
            lines.append(line)
            with asked.out.open("a", encoding="utf-8") as file:
                print(json.dumps(line), file=file)
            print(f"{run.path}, {way}: {line['drop'] * 100:+.2f} points, {line['seconds']} s", flush=True)
    print(table(lines))


if __name__ == "__main__":
    main()
