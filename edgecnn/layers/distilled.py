"""A network that learns to give what another one gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


@keras.saving.register_keras_serializable(package="edgecnn")
class Distilled(keras.Model):    # type: ignore[misc]
    """A functional model whose training loss is its distance to the outputs of a teacher; labels only judge it.

    The loss is the Kullback-Leibler divergence from the teacher's distribution, over the last dimension or, of one
    output, over yes and no; where the outputs are no probabilities, the mean squared difference. So classes that the
    teacher finds alike stay alike, which one label per sample cannot say (Hinton et al. 2015, *Distilling the knowledge
    in a neural network*, section 2; for quantized networks Mishra and Marr 2018, *Apprentice*, section 3). On
    validation samples the loss is the compiled one. Weights of samples count.

    Attributes:
        teacher: From a batch of inputs to what the outputs should be; None for a model that only computes.
        probabilities: Whether outputs are in 0 to 1.
    """

    teacher: Callable[[Any], Any] | None = None
    probabilities: bool = True

    def learn_from(self, teacher: Callable[[Any], Any], probabilities: bool) -> None:
        """Set the two attributes; neither is saved, nor are the weights of the teacher any of this model's."""
        # A model keeps track of every layer that it is given: inside a function it is not seen.
        self.teacher = lambda x: teacher(x)
        self.probabilities = probabilities

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """See the class."""
        if not training or self.teacher is None:
            return super().compute_loss(x, y, y_pred, sample_weight, training=training)
        values = self._distance(keras.ops.stop_gradient(self.teacher(x)), y_pred)
        if sample_weight is not None:
            values = values * keras.ops.cast(keras.ops.reshape(sample_weight, keras.ops.shape(values)), values.dtype)
        return keras.ops.mean(values)

    def _distance(self, wanted: Any, found: Any) -> Any:
        """For each sample (each pixel of a mask)."""
        if not self.probabilities:
            return keras.ops.mean(keras.ops.square(wanted - found), axis=-1)
        if found.shape[-1] == 1:
            wanted, found = (keras.ops.concatenate([p, 1 - p], axis=-1) for p in (wanted, found))
        return keras.losses.kl_divergence(wanted, found)
