"""What is counted in every epoch, on training and on validation samples: figures that the task asks for."""

from __future__ import annotations

from typing import Any

from edgecnn.errors import UsageError
from edgecnn.keras_quiet import import_keras
from edgecnn.tasks import THRESHOLD, Task

HIGHER_IS_BETTER = frozenset({"val_accuracy", "val_auc", "val_mean_iou"})
"""Of what ``train.monitor`` may name."""


def make_metrics(task: Task, outputs: int, classes: int, indices: bool) -> list[Any]:
    """Keras metrics, the first one named ``accuracy``.

    ``auc`` is the area under the ROC curve of a binary network, from 200 thresholds; ``edgecnn evaluate`` gives the
    exact one. ``mean_iou`` is the mean over classes of intersection over union of their pixels.

    Args:
        task: What the network is for.
        outputs: Values in the last dimension of its output.
        classes: Of the data.
        indices: Targets are class indices; otherwise one-hot, or one value for one output.
    """
    keras = import_keras("training")
    metrics, ops = keras.metrics, keras.ops

    def agrees(y_true: Any, y_pred: Any) -> Any:
        # Keras's BinaryAccuracy counts 0.5 for the first class, and every mixture of two classes (mixup) as a mistake.
        return ops.mean(ops.equal(y_true >= THRESHOLD, y_pred >= THRESHOLD), axis=-1)

    if outputs == 1:
        made = [metrics.MeanMetricWrapper(agrees, name="accuracy")]
    elif indices:
        made = [metrics.SparseCategoricalAccuracy(name="accuracy")]
    else:
        made = [metrics.CategoricalAccuracy(name="accuracy")]
    if task == "binary":
        made.append(metrics.AUC(name="auc"))
    if task == "segmentation" and outputs == 1:
        made.append(metrics.BinaryIoU(target_class_ids=(0, 1), threshold=THRESHOLD, name="mean_iou"))
    elif task == "segmentation" and indices:
        made.append(metrics.MeanIoU(num_classes=classes, sparse_y_pred=False, name="mean_iou"))
    elif task == "segmentation":
        made.append(metrics.OneHotMeanIoU(num_classes=classes, name="mean_iou"))
    return made


def check_monitor(monitor: str, made: list[Any]) -> None:
    """Refuse to choose epochs by what this task has not.

    Args:
        monitor: ``train.monitor``.
        made: By ``make_metrics``.

    Raises:
        UsageError: There is no such figure.
    """
    known = ["val_loss", *(f"val_{metric.name}" for metric in made)]
    if monitor not in known:
        raise UsageError(f"train.monitor = {monitor!r}: this task has {', '.join(known)}.")
