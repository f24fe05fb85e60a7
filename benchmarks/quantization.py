"""What each way of quantizing costs in accuracy, over trained runs: a table for the eye and JSON lines for a file.

    python benchmarks/quantization.py                     every model of the zoo that has a run
    python benchmarks/quantization.py lenet5 spam_text_cnn --ways int8,auto,repair,int16x8 --out quantization.jsonl

Float and quantized files are compared on the whole test split; what chooses ranges and repairs are training samples.
A line is written for every model and way as soon as it is known, and what stands in ``--out`` already is not computed
again. QAT takes the run's own augmentation and costs epochs: ask for it with ``--ways qat=3``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edgecnn.data import open_dataset
from edgecnn.errors import EdgecnnError
from edgecnn.quantization.compare import other_metrics
from edgecnn.quantization.convert import Form
from edgecnn.quantization.improve import Asked
from edgecnn.quantize_run import How, tried
from edgecnn.runs import find_run, has_run
from edgecnn.zoo import zoo
from tests.training_runs import Silent

WAYS = {
    "int8": How(),
    "per_tensor": How(Form(per_tensor=True)),
    "auto": How(asked=Asked("auto")),
    "repair": How(asked=Asked("auto", repair=True)),
    "int16x8": How(Form("int16x8")),
}


def way_of(name: str) -> How:
    """``int8`` and the like, or ``qat=EPOCHS``."""
    if name.startswith("qat="):
        return How(asked=Asked("auto", repair=True), qat=int(name[4:]))
    return WAYS[name]


def measure(model: str, way: str) -> dict[str, Any]:
    """One line."""
    run = find_run(model)
    dataset = open_dataset(run.info.recipe.data)
    begun = time.monotonic()
    found = tried(run, dataset, Silent(), way_of(way), dataset.test)
    return {
        "model": model,
        "way": way,
        "samples": found.after.samples,
        "float": found.before.accuracy,
        "quantized": found.after.accuracy,
        "low": found.after.accuracy_low,
        "high": found.after.accuracy_high,
        "drop": found.drop.value,
        "drop_low": found.drop.low,
        "drop_high": found.drop.high,
        "float_metrics": other_metrics(found.before),
        "metrics": other_metrics(found.after),
        "seconds": round(time.monotonic() - begun, 1),
    }


def table(lines: list[dict[str, Any]], ways: list[str]) -> str:
    """Points of accuracy lost, a row for each model, with the largest and the mean of each way."""
    rows = [f"{'model':28}{'float':>8}" + "".join(f"{way:>12}" for way in ways)]
    by = {(line["model"], line["way"]): line for line in lines}
    for model in dict.fromkeys(line["model"] for line in lines):
        known = [by.get((model, way)) for way in ways]
        first = next(line for line in known if line is not None)
        cells = "".join(f"{'':>12}" if line is None else f"{line['drop'] * 100:>+12.2f}" for line in known)
        rows.append(f"{model:28}{first['float'] * 100:>8.2f}{cells}")
    for name, figure in (("largest", max), ("mean", lambda drops: sum(drops) / len(drops))):
        drops = [[line["drop"] for line in lines if line["way"] == way] for way in ways]
        cells = "".join(f"{figure(one) * 100:>+12.2f}" if one else f"{'':>12}" for one in drops)
        rows.append(f"{name:36}{cells}")
    return "\n".join(rows)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", nargs="*")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--out", type=Path, default=Path("quantization.jsonl"))
    asked = parser.parse_args()
    ways = asked.ways.split(",")
    models = asked.model or [
        one.name for one in zoo() if has_run(one.name) and one.recipe().model.task != "filter"
    ]
    lines = [json.loads(line) for line in asked.out.read_text().splitlines()] if asked.out.is_file() else []
    done = {(line["model"], line["way"]) for line in lines}
    for model in models:
        for way in ways:
            if (model, way) in done:
                continue
            try:
                line = measure(model, way)
            except EdgecnnError as error:
                print(f"{model}, {way}: {error}", file=sys.stderr)
                continue
            lines.append(line)
            with asked.out.open("a", encoding="utf-8") as file:
                print(json.dumps(line), file=file)
            print(f"{model}, {way}: {line['drop'] * 100:+.2f} points, {line['seconds']} s", flush=True)
    print(table([line for line in lines if line["way"] in ways and line["model"] in models], ways))


if __name__ == "__main__":
    main()
