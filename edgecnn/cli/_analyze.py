"""``edgecnn quantize --analyze``: where a quantized network loses its accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgecnn.cli._common import Output


@dataclass(frozen=True)
class Analyzed:
    """What to analyse, and on what.

    Attributes:
        real: The float ``.tflite``.
        quantized: The int8 one.
        data: What ``--data`` said.
        preprocess: What ``--preprocess`` said.
        limit: Test samples to use; all of them by default.
        out: Folder of the report.
    """

    real: Path
    quantized: Path
    data: str | None
    preprocess: str | None
    limit: int | None
    out: Path


def analyze(asked: Analyzed, output: Output) -> None:
    """Compare both files layer by layer, print it, and write ``quantization.json`` and ``quantization.html``.

    Raises:
        UsageError: The files do not say what data they are for, and nothing else does.
        EdgecnnError: They are not the float and the int8 form of one network, or the data does not fit.
    """
    from edgecnn.artefacts import ends_of, resolve
    from edgecnn.cli._display import TerminalDisplay
    from edgecnn.data import section_from_text
    from edgecnn.errors import UsageError
    from edgecnn.evaluation_data import default_section, load_test_data
    from edgecnn.quantization.analysis import analyse, settle_pair, work_of
    from edgecnn.quantization.pair import match_graphs
    from edgecnn.report.quantization import terminal_analysis, write_report
    from edgecnn.settle import parse_preprocess
    from edgecnn.tflite_file import read_graph

    given = parse_preprocess(asked.preprocess) if asked.preprocess is not None else None
    pair = match_graphs(read_graph(asked.real), read_graph(asked.quantized))
    files = (resolve(str(asked.real)).artefacts[0], resolve(str(asked.quantized)).artefacts[0])
    section = section_from_text(asked.data) if asked.data is not None else default_section(files[1])
    if section is None:
        raise UsageError(
            f"{asked.quantized}: the file does not say what data it is for. Give a data set or images with --data."
        )
    known = None if files[1].contract is None else files[1].contract.preprocess
    test = load_test_data(section, ends_of(files[1])[0], asked.limit, given or known)
    task = "classification" if files[1].contract is None else files[1].contract.task
    labels = () if task == "filter" else test.labels
    contracts, remarks = settle_pair(files, labels, given)
    display = TerminalDisplay(output)
    with display.counting("comparing layer by layer", work_of(pair, len(test.samples), task, labels)) as advance:
        found = analyse(
            pair,
            asked.real.read_bytes(),
            asked.quantized.read_bytes(),
            test.samples,
            contracts,
            labels,
            remarks=tuple(remarks),
            advance=advance,
        )
    written = write_report(found, asked.out, test.samples.x)
    output.result(
        {**found.model_dump(mode="json"), "report": str(written[1])}, terminal_analysis(found), f"report  {written[1]}"
    )
