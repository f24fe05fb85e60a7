#!/bin/sh
# From data to report with one model: fashion_mnist_cnn, or digits_tiny where Fashion-MNIST cannot be had.
# EPOCHS=N trains fashion_mnist_cnn for N epochs instead of 3. Arguments go to `edgecnn run`.
set -eu
cd "$(dirname "$0")/.."
PATH=${VENV:-.venv}/bin:$PATH

# Opening the set is the only honest test: it may be on the disk, and it may come through a download.
if why=$(python - <<'PYTHON'
import sys

from edgecnn.data import open_dataset, section_from_text
from edgecnn.errors import EdgecnnError

try:
    len(open_dataset(section_from_text("fashion_mnist")).test)
except EdgecnnError as error:
    sys.exit(print(error) or 1)
PYTHON
); then
    exec edgecnn run fashion_mnist_cnn --epochs "${EPOCHS:-3}" "$@"
fi
printf '%s\n' "demo: $why" "demo: training digits_tiny instead, whose data ships with scikit-learn" >&2
exec edgecnn run digits_tiny "$@"
