"""The space file: TOML that says what a search may change, tried on the model's recipe before anything runs."""

from __future__ import annotations

import ast
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from edgecnn.errors import UsageError, unknown_name
from edgecnn.files import readable_os_errors, require_file
from edgecnn.recipe import Recipe, line_of
from edgecnn.tune.space import Choices, Parameter, Range, Scalar, Space, overrides, storable, tidy
from edgecnn.zoo import ModelFolder

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SPACE = "space.toml"
"""The space file in a model's folder."""

FORMS = "{ low = 1, high = 8 } with step or log = true where wanted, or { choices = [1, 2, 4] }"

_RANGE = ("low", "high", "step", "log")
_KEYS = (*_RANGE, "choices")

_OTHER_SAMPLES = "trials would be judged on different samples"
_FIXED = {
    "model.name": "it names the files of every trial",
    "model.task": "trials could not be compared",
    "model.description": "it changes no network",
    "data.set": _OTHER_SAMPLES,
    "data.path": _OTHER_SAMPLES,
    "data.split": _OTHER_SAMPLES,
    "data.fold": _OTHER_SAMPLES,
    "data.folds": _OTHER_SAMPLES,
    "data.limit": _OTHER_SAMPLES,
    "data.validation": _OTHER_SAMPLES,
    "train.seed": f"{_OTHER_SAMPLES}. Over seeds goes: edgecnn crossval MODEL --seeds N",
    "quantize": "no trial is measured after quantization",
    "budget": "it is what trials are held to",
}
"""What no search may change, and why."""


def load_space(path: Path, model: ModelFolder, given: Sequence[str] = ()) -> Space:
    """Read a space file, and try every end and every choice in it on the model's recipe.

    Args:
        path: The file.
        model: Whose recipe is searched over.
        given: What ``--set`` gives, as ``section.key=value``.

    Raises:
        UsageError: There is no such file, it is not TOML, or a key or a value in it is not allowed; the message gives
            file, line and key.
        EdgecnnError: The file cannot be read.
    """
    require_file(path)
    with readable_os_errors(path, "read"):
        data = path.read_bytes()
    try:
        text = data.decode("utf-8")
        document = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text (byte {error.start}). Save the space as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    model.recipe(given)    # what is wrong without the space is no fault of it
    parameters: dict[str, Parameter] = {}
    for location, leaf in _leaves(document, ()):
        key = ".".join(location)
        try:
            parameters[key] = _parameter(leaf)
            _check_key(key, parameters, given)
            _check_arguments(location, model)
            for value in _probes(parameters[key]):
                _try(model, given, key, value)
        except UsageError as error:
            message = str(error).removeprefix(f"{key}: ")
            raise UsageError(f"{path}:{line_of(text, location)}: {key}: {message}") from None
    if not parameters:
        raise UsageError(f"{path}: nothing to search over. Write, for example: train.batch = {{ choices = [32, 64] }}")
    return Space(path, parameters)


def _leaves(table: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What is no table of tables, with its key: a parameter, or a mistake."""
    for name, value in table.items():
        location = (*above, *name.split("."))    # "train.batch" in quotes means the same as without
        section = isinstance(value, dict) and value and not _is_parameter(value)
        if section:
            yield from _leaves(value, location)
        else:
            yield location, value


def _is_parameter(table: Mapping[str, Any]) -> bool:
    """``data.step`` is a key of the recipe: there ``step`` holds a table, in a range never."""
    return any(name in _KEYS and not isinstance(value, dict) for name, value in table.items())


def _parameter(leaf: Any) -> Parameter:
    if not isinstance(leaf, dict) or not leaf:
        raise UsageError(f"found {leaf!r}: expected {FORMS}.")
    for name in leaf:
        if name not in _KEYS:
            raise unknown_name("key", name, _KEYS)
    if "choices" in leaf:
        if len(leaf) > 1:
            raise UsageError(f"choices and {next(name for name in leaf if name != 'choices')}: write one or the other.")
        return _choices(leaf["choices"])
    return _range(leaf)


def _choices(values: Any) -> Choices:
    if not isinstance(values, list) or not values:
        raise UsageError(f"choices = {values!r}: expected a list of at least one value, such as [1, 2, 4].")
    seen: set[Scalar] = set()
    for value in values:
        stored = storable(value)
        if stored in seen:    # 1 and 1.0 are one value to a storage
            raise UsageError(f"choices: {value!r} stands there twice.")
        seen.add(stored)
    return Choices(tuple(values))


def _range(leaf: Mapping[str, Any]) -> Range:
    for name in ("low", "high"):
        if name not in leaf:
            raise UsageError(f"{name} is missing: expected {FORMS}.")
    for name in ("low", "high", "step"):
        value = leaf.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise UsageError(f"{name} = {value!r}: a number is expected. Other values go into choices.")
    low, high, step, log = leaf["low"], leaf["high"], leaf.get("step"), leaf.get("log", False)
    if not isinstance(log, bool):
        raise UsageError(f"log = {log!r}: true or false is expected.")
    if isinstance(low, int) != isinstance(high, int):
        raise UsageError(f"low = {low} and high = {high}: write both as integers, or both with a decimal point.")
    if low >= high:
        raise UsageError(f"low = {low} is not below high = {high}.")
    if log and (low <= 0 or step is not None):
        reason = f"low = {low} has no logarithm" if low <= 0 else "a range with log has no step"
        raise UsageError(f"{reason}: leave out log, or write choices.")
    if step is not None:
        if step <= 0 or isinstance(low, int) != isinstance(step, int):
            kind = "whole" if isinstance(low, int) else "decimal"
            raise UsageError(f"step = {step}: a {kind} number above 0 is expected, as low and high are.")
        over = (Decimal(str(high)) - Decimal(str(low))) % Decimal(str(step))
        if over:
            nearest = tidy(float(Decimal(str(high)) - over), Range(low, high))
            raise UsageError(f"high = {high} is not a whole number of steps above low: {nearest} is.")
    return Range(low, high, step, log)


def _check_key(key: str, known: Mapping[str, Parameter], given: Sequence[str]) -> None:
    if "." not in key:
        raise UsageError(f"a whole section cannot be searched over: write its keys, such as {key}.name = ….")
    for fixed, reason in _FIXED.items():
        if _within(key, fixed) or _within(fixed, key):
            raise UsageError(f"it cannot be searched over: {reason}.")
    for other in known:
        if other != key and (_within(key, other) or _within(other, key)):
            raise UsageError(f"{other} is searched over too, and one holds the other: remove one of the two.")
    for item in given:
        name = item.partition("=")[0].strip()
        if _within(name, key) or _within(key, name):
            raise UsageError(f"it is searched over, and --set or --epochs gives {item}: remove one of the two.")


def _within(key: str, section: str) -> bool:
    return key == section or key.startswith(f"{section}.")


def _check_arguments(location: tuple[str, ...], model: ModelFolder) -> None:
    """Refuse ``model.arguments`` that ``build()`` does not take, without running ``model.py``, as far as it tells."""
    if location[:2] != ("model", "arguments") or len(location) < 3:
        return
    try:
        body = ast.parse(model.source.read_bytes()).body
    except (OSError, SyntaxError, ValueError):    # building the first trial says what is wrong
        return
    build = next((node for node in body if isinstance(node, ast.FunctionDef) and node.name == "build"), None)
    if build is None or build.args.kwarg is not None:
        return
    names = [argument.arg for argument in (*build.args.posonlyargs, *build.args.args, *build.args.kwonlyargs)]
    if location[2] not in names:
        raise unknown_name("model.arguments", location[2], names, f"build() in {model.source} takes those.")


def _probes(parameter: Parameter) -> tuple[Any, ...]:
    """Both ends, or all choices: every other value lies between them."""
    return parameter.values if isinstance(parameter, Choices) else (parameter.low, parameter.high)


def _try(model: ModelFolder, given: Sequence[str], key: str, value: Any) -> Recipe:
    """The recipe with one value in it.

    Raises:
        UsageError: It is not allowed; said without the ``--set`` that the user did not write.
    """
    try:
        return model.recipe([*given, *overrides({key: value})])
    except UsageError as error:
        raise UsageError("\n".join(line.removeprefix("--set ") for line in str(error).splitlines())) from error
    except TypeError as error:    # a date: TOML has them, recipes do not
        raise UsageError(f"found {value!r}: numbers, text, lists and tables of them are supported.") from error
