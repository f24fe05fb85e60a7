#!/bin/sh
# From data to report with one model: fashion_mnist_cnn, or digits_tiny where Fashion-MNIST cannot be had.
# EPOCHS=N trains fashion_mnist_cnn for N epochs instead of 3. Arguments go to `edgecnn run`.
set -eu
cd "$(dirname "$0")/.."
PATH=${VENV:-.venv}/bin:$PATH

# Reading the whole set is the only honest test: it may be on the disk, and it may come through a download.
no_data=3    # any other failure is one of edgecnn or of its environment, and no reason to train something else
code=0
why=$(python - "$no_data" <<'PYTHON'
import sys

from edgecnn.data import open_dataset, section_from_text
from edgecnn.errors import EdgecnnError

try:
    data = open_dataset(section_from_text("fashion_mnist"))
    print(f"{len(data.train)} and {len(data.test)} images")
except EdgecnnError as error:
    print(error)
    sys.exit(int(sys.argv[1]))
PYTHON
) || code=$?

case $code in
0) exec edgecnn run fashion_mnist_cnn --epochs "${EPOCHS:-3}" "$@" ;;
"$no_data")
    printf '%s\n' "demo: $why" "demo: training digits_tiny instead, whose data ships with scikit-learn" >&2
    exec edgecnn run digits_tiny "$@"
    ;;
*)
    printf '%s\n' "demo: looking for Fashion-MNIST failed with code $code: see above, and try \`edgecnn doctor\`" >&2
    exit "$code"
    ;;
esac
