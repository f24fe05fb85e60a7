"""Networks with fixed weights (``model.task = "filter"``): built and saved, with nothing to train."""

from __future__ import annotations

from edgecnn.data import DataSet
from edgecnn.files import whole_file
from edgecnn.keras_quiet import import_keras, quiet_native
from edgecnn.runs import KERAS, DataUsed, Run
from edgecnn.training.train import built_model, training_splits


def build_fixed(run: Run, dataset: DataSet) -> None:
    """Build the model of a run and save it as ``model.keras``.

    The data is read all the same: preprocessing may be fitted to the training split, and the digests say what the
    filter was quantized for.

    Args:
        run: A run folder with ``run.json`` and ``model.py``.
        dataset: What the recipe's ``[data]`` names.

    Raises:
        UsageError: ``model.py`` does not build a model for the data.
        EdgecnnError: The data cannot be read, or the folder cannot be written.
    """
    recipe = run.info.recipe
    splits = training_splits(dataset, recipe)
    import_keras("building a filter").utils.set_random_seed(recipe.train.seed)
    run.record(preprocess=recipe.preprocess.fit(splits.train.x))
    model = built_model(run, dataset)
    with whole_file(run.file(KERAS)) as temporary, quiet_native():
        model.save(temporary)
    run.record(
        KERAS,
        data=DataUsed(
            set=recipe.data.set,
            source=dataset.source,
            labels=list(dataset.labels),
            training_samples=len(splits.train),
            validation_samples=len(splits.validation),
            test_samples=len(dataset.test),
            sha256=dict(dataset.sha256),    # last, when all splits were read
        ),
    )
