"""What ``quantize`` and ``run`` say of the accuracy that int8 costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecnn.cli._common import Output

if TYPE_CHECKING:
    from edgecnn.runs import Quantization


_BEFORE_AUTO = "Let edgecnn find what helps: edgecnn quantize RUN --auto"
_AFTER_AUTO = (
    "On the validation split it was within that: on so few samples the two splits differ by chance. "
    "A smaller --max-drop asks for more, and a larger data.validation tells more."
)


def judge(figures: Quantization, output: Output) -> None:
    """Warn of a loss above a point and of less accuracy than the budget asks for; refuse a loss above the budget.

    A filter has no accuracy to lose.

    Raises:
        EdgecnnError: The drop is above ``max_drop``.
    """
    from edgecnn.errors import EdgecnnError
    from edgecnn.formats import percent
    from edgecnn.quantization.compare import WARN_DROP
    from edgecnn.report.metrics import known

    if figures.accuracy is None or figures.drop is None:
        return
    wanted = figures.wanted_accuracy
    if wanted is not None and figures.accuracy < wanted:
        reached = percent(figures.accuracy)
        output.warn(f"{figures.scheme} reaches {reached}; the recipe asks for {percent(wanted)} (budget.accuracy).")
    if figures.drop > figures.max_drop:
        lost, allowed = f"{figures.drop * 100:.2f}", f"{figures.max_drop * 100:.2f}"
        raise EdgecnnError(
            f"{figures.scheme} loses {lost} points of accuracy; {allowed} are allowed (budget.max_drop in the "
            "recipe, or --max-drop of edgecnn quantize). The files are kept. "
            f"{_AFTER_AUTO if figures.ladder else _BEFORE_AUTO}"
        )
    if figures.drop > WARN_DROP:
        output.warn(f"{figures.scheme} loses {figures.drop * 100:.2f} points of accuracy.")
    for metric in known([figures.metrics]):
        before, after = metric.of(figures.float_metrics), metric.of(figures.metrics)
        if before is not None and after is not None and before - after > WARN_DROP:
            output.warn(f"{figures.scheme} loses {metric.title}: {metric.text(before)} becomes {metric.text(after)}.")
