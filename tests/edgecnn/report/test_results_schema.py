"""``docs/results.schema.json`` is what the code says, and a real document follows it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from edgecnn.results import Results, is_results, json_schema, read_results, write_results


def test_published_schema_is_current(root: Path) -> None:
    """After a change of ``edgecnn/results.py`` write it anew with
    ``UPDATE_GOLDEN=1 pytest tests/edgecnn/report/test_results_schema.py``.
    """
    path = root / "docs" / "results.schema.json"
    wanted = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(wanted, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == wanted


def test_document_follows_the_published_schema(digits_results: Results, root: Path, tmp_path: Path) -> None:
    schema = json.loads((root / "docs" / "results.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    write_results(tmp_path / "results.json", digits_results)
    document = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(document)
    assert read_results(tmp_path / "results.json") == digits_results


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("entries", 0, "p50_ms"), "fast"),
        (("schema_version",), 1),
        (("device", "colour"), "green"),
        (("entries",), None),
    ],
)
def test_schema_refuses(digits_results: Results, place: tuple[str | int, ...], value: object) -> None:
    document = digits_results.model_dump(mode="json")
    target = document
    for part in place[:-1]:
        target = target[part]
    target[place[-1]] = value
    errors = list(Draft202012Validator(json_schema()).iter_errors(document))
    assert [tuple(error.absolute_path) for error in errors] in ([place], [place[:-1]])


def test_results_of_an_older_schema_are_ours_to_replace(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text('{"schema_version": 1, "device": {}, "entries": []}')
    assert is_results(path)
    for other in ("[]", '{"results": 1}', "no json"):
        path.write_text(other)
        assert not is_results(path)
