#!/bin/sh
# Writes constraints.txt: the newest versions that fit pyproject.toml on every supported Python and platform.
# Older pins are not kept; run the tests before keeping the new ones. Only ours counts as a change: no index, no paths.
set -eu
cd "$(dirname "$0")/.."
uv=${VENV:-.venv}/bin/uv
[ -x "$uv" ] || uv=uv
new=$(mktemp)
trap 'rm -f "$new"' EXIT
{
    echo "# The versions that were tested, for pip and uv: pip install -c constraints.txt -e '.[dev]'"
    echo "# Made by \`make constraints\` from pyproject.toml; 32-bit Arm is not covered."
    "$uv" pip compile --quiet --universal --python-version 3.10 --all-extras \
        --no-annotate --no-header --no-emit-index-url --no-emit-find-links pyproject.toml
} >"$new"
if grep -nE '://|^-|@ ' "$new"; then
    echo "constraints: an address got into the result (above); constraints.txt is left as it was" >&2
    exit 1
fi
cp "$new" constraints.txt
echo "constraints: $(grep -c == constraints.txt) pins"
