"""Under what conditions figures were measured, in words: the machines, and the method."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgecnn.formats import count, size
from edgecnn.report.metrics import explained
from edgecnn.report.view import Fact, counts_pixels
from edgecnn.results import BoardEntry, DeviceRecord, Entry, Results


def device_facts(device: DeviceRecord) -> list[Fact]:
    """The machine, one fact a line; what it did not tell is left out."""
    facts = [
        Fact("CPU", device.cpu),
        Fact("Cores", f"{device.cores} ({device.architecture})"),
        Fact("Memory", size(device.memory_bytes)) if device.memory_bytes is not None else None,
        Fact("System", device.system),
        Fact("Python", device.python),
        Fact("CPU governor", device.governor or "the system does not tell"),
        _before_after("CPU frequency", device.frequency_before_mhz, device.frequency_after_mhz, " MHz"),
        _before_after("Temperature", device.temperature_before_c, device.temperature_after_c, " °C"),
        _held_back(device.throttled_before, device.throttled_after),
        _before_after("Load average (1 min)", device.load_before, device.load_after, ""),
    ]
    return [fact for fact in facts if fact is not None]


def _before_after(name: str, before: float | None, after: float | None, unit: str) -> Fact | None:
    parts = [f"{value:.4g}{unit} {when}" for value, when in ((before, "before"), (after, "after")) if value is not None]
    return Fact(name, ", ".join(parts)) if parts else None


def _held_back(before: Sequence[str] | None, after: Sequence[str] | None) -> Fact | None:
    """What throttled it, where somebody tells."""
    told = [(flags, when) for flags, when in ((before, "before"), (after, "after")) if flags is not None]
    if not told:
        return None
    return Fact("Throttled", "; ".join(f"{', '.join(flags) or 'by nothing'} {when}" for flags, when in told))


def device_line(device: DeviceRecord) -> str:
    """The machine in one line."""
    cores = f"{device.cores} core{'s' if device.cores != 1 else ''}"
    parts = [device.cpu, cores, device.architecture, device.system]
    if device.governor:
        parts.append(f"governor {device.governor}")
    throttled = dict.fromkeys([*(device.throttled_before or []), *(device.throttled_after or [])])
    if throttled:
        parts.append(f"throttled: {', '.join(throttled)}")
    return ", ".join(parts)


def method(results: Results) -> list[str]:
    """How it was measured, in sentences; every number in them is the document's."""
    entries = results.entries
    sentences = [*_latency_method(entries), *_quality_method(results), *_board_method(results)]
    if not entries:
        sentences.insert(0, "No runtime was measured.")
    return sentences


def _latency_method(entries: Sequence[Entry]) -> list[str]:
    if not entries:
        return []
    warmup, runs = _range(entry.num_warmup for entry in entries), _range(entry.num_runs for entry in entries)
    sentences = [
        f"Latency is that of one sample at a time (batch 1): input handed over, run, output read; {_threads(entries)}.",
        f"Warm-up goes on until latency is steady: {warmup} runs, which are not counted. {_settled(entries)}",
    ]
    sentences.append(f"{runs} runs are counted{_in_turns(entries)}.")
    sentences.append(
        "p50 is the median, with the 95 % interval in which it falls when the same command is run again (a bootstrap "
        "over processes and their turns). Outliers are runs above the upper quartile by more than 1.5 times the "
        "interquartile range: shown and counted, never dropped."
    )
    sentences.append(
        "Runs are those of fresh processes; peak RSS is the most resident memory that one of them held. The arena is "
        "what the activations take in it, where the runtime tells."
    )
    if any(entry.pinned_core is not None for entry in entries):
        cores = sorted({entry.pinned_core for entry in entries if entry.pinned_core is not None})
        sentences.append(f"Measuring processes were pinned to core {', '.join(map(str, cores))}.")
    return sentences


def _in_turns(entries: Sequence[Entry]) -> str:
    """`` in 12 turns of 3 processes, by turns with …``; empty where nobody says."""
    turns, processes = _range(len(entry.blocks) for entry in entries), _range(len(one.processes) for one in entries)
    if turns == "0":
        return ""
    text = f" in {turns} turn{'' if turns == '1' else 's'}"
    if processes != "0":
        text += f" of {processes} process{'' if processes == '1' else 'es'}"
    return text + (", by turns with the others (A B A B …), so that drift hits all alike" if len(entries) > 1 else "")


def _settled(entries: Sequence[Entry]) -> str:
    restless = sum(not entry.steady for entry in entries)
    if not restless:
        return "It was reached everywhere." if len(entries) > 1 else "It was reached."
    return f"It was not reached in {restless} of {len(entries)} lines, which are marked."


def _threads(entries: Sequence[Entry]) -> str:
    threads = _range(entry.threads for entry in entries)
    return f"{threads} thread{'' if threads == '1' else 's'}"


def _quality_method(results: Results) -> list[str]:
    judged: list[Entry | BoardEntry] = [entry for entry in results.entries if entry.accuracy is not None]
    boards = [board for board in results.boards if board.accuracy is not None]
    sentences = []
    if judged or boards:
        samples = _range(record.samples for record in judged if record.samples is not None)
        on = f", measured on {samples} samples of the test split" if samples else ""
        fewer = _range(board.samples for board in boards if board.samples is not None)
        on += f"; on boards, on {fewer} of them" if fewer else ""
        meant = explained(results.model.task)
        interval_of = "the 95 % interval of a mean" if counts_pixels(results) else "Wilson's 95 % score interval"
        sentences.append(f"Accuracy stands with {interval_of}{on}.")
        sentences += [meant] if meant is not None else []
    every: list[Entry | BoardEntry] = [*results.entries, *results.boards]
    if any(record.agreement_with_float is not None for record in every):
        sentences.append("Agreement is the share of samples on which the class is that of the float model.")
    return sentences


def _board_method(results: Results) -> list[str]:
    if not results.boards:
        return []
    emulators = ", ".join(dict.fromkeys(board.emulator for board in results.boards))
    runs = _range(board.runs for board in results.boards)
    many = "" if runs == "1" else "s"
    return [
        f"Boards are emulated ({emulators}): the firmware runs whole, and every instruction from the entry of the "
        f"network to its return is counted over {runs} inference{many}. Instructions are exact; time and cycles are "
        "not known."
    ]


def method_line(results: Results) -> str:
    """The same in one line, for the terminal."""
    entries = results.entries
    if not entries:
        return "No runtime was measured."
    warmup, runs = _range(entry.num_warmup for entry in entries), _range(entry.num_runs for entry in entries)
    samples = _range(entry.samples for entry in entries if entry.samples is not None)
    text = f"batch 1, {_threads(entries)}, {warmup} warm-up and {runs} counted runs"
    turns = max(len(entry.blocks) for entry in entries)
    text += f" in {turns} turns" if turns > 1 else ""
    text += "; ± is half a 95 % interval, its longer side"
    return f"{text}; accuracy on {samples} samples" if samples else text


def _range(values: Iterable[int]) -> str:
    numbers = sorted(set(values))
    if not numbers:
        return ""
    return count(numbers[0]) if len(numbers) == 1 else f"{count(numbers[0])} to {count(numbers[-1])}"
