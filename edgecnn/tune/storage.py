"""Where a study is kept: a database by its URL, which several processes and machines may share."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecnn.errors import EdgecnnError, MissingDependencyError, UsageError, first_line
from edgecnn.files import readable_os_errors
from edgecnn.mcu.targets import load_target
from edgecnn.mcu.toolchain import compiler_of
from edgecnn.runs import runs_root

DATABASE = "study.db"
ABOUT = "edgecnn"
"""Attribute of a study that says what is searched over, and for what."""

USUAL_TARGET = "cortex-m4"
"""Whose code counts as flash when nobody says."""

_FLASH = "edgecnn:flash"

HEARTBEAT_S = 60
"""How often a trial says that it is alive. One that has not for three times as long was killed; it is tried again."""

_LOCK_S = 120          # a process waits so long for another one that writes to the same SQLite file
_CREATION_TRIES = 20
_SUPPORTED = "sqlite:///FILE, mysql://… and postgresql://…"


def study_folder(model: str) -> Path:
    """Where everything of a model's studies is kept: ``runs/tune/<model>``."""
    return runs_root() / "tune" / model


def default_storage(model: str) -> str:
    """The URL of the database that is used when nobody names one."""
    return f"sqlite:///{(study_folder(model) / DATABASE).resolve()}"


def import_optuna() -> Any:
    """The ``optuna`` module, silent: what happens is told by whoever searches.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise MissingDependencyError(error.name or "optuna", "tune", "a search") from error
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    return optuna


@contextlib.contextmanager
def quiet_optuna() -> Iterator[None]:
    """Without its remarks on what is experimental: the heartbeat has been for years."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=import_optuna().exceptions.ExperimentalWarning)
        yield


def open_storage(url: str) -> Any:
    """A storage, whose tables are made where there are none.

    Args:
        url: A database URL as SQLAlchemy has them.

    Returns:
        An ``optuna.storages.RDBStorage``.

    Raises:
        UsageError: The text is no such URL, or names no file.
        EdgecnnError: The database cannot be reached, or is not one of Optuna's.
    """
    optuna = import_optuna()
    from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

    parsed = _parsed(url)
    options: dict[str, Any] = {}
    if parsed.get_backend_name() == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise UsageError(f"--storage {url}: a study outlives its process: name a file, as in sqlite:///study.db")
        options["connect_args"] = {"timeout": _LOCK_S}
        with readable_os_errors(Path(parsed.database).parent, "write"):
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    for number in range(_CREATION_TRIES):
        try:
            with quiet_optuna():
                return optuna.storages.RDBStorage(
                    url, engine_kwargs=options, heartbeat_interval=HEARTBEAT_S, grace_period=3 * HEARTBEAT_S
                )
        except (IntegrityError, OperationalError) as error:
            # Two processes that begin at the same moment both make the tables; the second finds them at its next try.
            if number + 1 == _CREATION_TRIES or not _made_by_another(error):
                raise EdgecnnError(_unusable(url, error)) from error
            time.sleep(0.1)
        except (SQLAlchemyError, RuntimeError, ImportError, ValueError) as error:
            raise EdgecnnError(_unusable(url, error)) from error
    raise AssertionError("the last try returns or raises")


def _made_by_another(error: Exception) -> bool:
    text = str(error).lower()
    return any(words in text for words in ("already exists", "unique constraint", "locked", "duplicate"))


def _unusable(url: str, error: Exception) -> str:
    return (
        f"--storage {shown_url(url)}: this database cannot be used: {first_line(error)}. Supported: {_SUPPORTED}; "
        "the last two need a driver, such as: pip install psycopg2-binary"
    )


@contextlib.contextmanager
def usable_storage(url: str) -> Iterator[None]:
    """While a study is worked on: a database that is gone, full or of another form is no mistake of edgecnn's.

    Raises:
        EdgecnnError: It is.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (import_optuna().exceptions.StorageInternalError, SQLAlchemyError) as error:
        found = error.__cause__ if isinstance(error.__cause__, Exception) else error    # Optuna's words hide the reason
        raise EdgecnnError(_unusable(url, found)) from error


def shown_url(url: str) -> str:
    """A storage's URL for people and files: without its password.

    Raises:
        UsageError: The text is no URL.
    """
    shown: str = _parsed(url).render_as_string(hide_password=True)
    return shown


def _parsed(url: str) -> Any:
    import_optuna()    # which brings SQLAlchemy, and says how to get it
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url)
    except (ArgumentError, ValueError):    # ValueError: a port that is no number
        shown = re.sub(r"//[^/]*@", "//***@", url)
        raise UsageError(f"--storage {shown}: not a URL. Supported: {_SUPPORTED}.") from None


def open_study(url: str, name: str, directions: Sequence[str], about: Mapping[str, Any]) -> Any:
    """A study by its name: a new one, or the one that was begun earlier or elsewhere.

    Args:
        url: Of the storage.
        name: Of the study.
        directions: ``maximize`` or ``minimize`` for each objective.
        about: What is searched over, and for what; JSON values.

    Returns:
        An ``optuna.Study``, with its usual sampler.

    Raises:
        UsageError: The study of that name is about something else.
        EdgecnnError: The storage cannot be used.
    """
    optuna = import_optuna()
    storage = open_storage(url)
    study = optuna.create_study(
        storage=storage, study_name=name, directions=list(directions), load_if_exists=True
    )
    has_trials = bool(study.get_trials(deepcopy=False))
    before = study.user_attrs.get(ABOUT)    # read after the trials: whoever began one had set it
    if before is None and has_trials:
        raise UsageError(f"{shown_url(url)} has a study {name!r} that edgecnn did not begin. Choose another --study.")
    if before is None:
        study.set_user_attr(ABOUT, dict(about))
        return study
    changed = [key for key in about if before.get(key) != about[key]]
    if changed:
        raise UsageError(
            f"the study {name!r} in {shown_url(url)} was begun with another {' and '.join(changed)}; its trials cannot "
            "be compared with new ones. Begin another study with --study NAME, or go on as it was begun."
        )
    return study


def settle_target(study: Any, asked: str | None) -> str | None:
    """The target whose code counts as flash in every trial of a study, on every machine that takes part.

    Args:
        study: An ``optuna.Study``.
        asked: What the user named, or None for the usual target.

    Returns:
        A target, or None where flash is weights and tables alone.

    Raises:
        UsageError: There is no such target, or the study was begun with another one.
        MissingToolError: The target's compiler is not installed here.
    """
    before = study.user_attrs.get(_FLASH)
    if before is None:
        usual = load_target(asked or USUAL_TARGET)
        if asked is not None:
            compiler_of(usual)
        target = usual.name if any(shutil.which(compiler) for compiler in usual.compilers) else None
        study.set_user_attr(_FLASH, {"target": target})
        return target
    settled: str | None = before["target"]
    if asked is not None and asked != settled:
        counted = f"code for {settled}" if settled is not None else "weights and tables alone"
        raise UsageError(
            f"--target {asked}: the study {study.study_name!r} was begun with {counted} as flash. Begin another one "
            "with --study NAME, or leave out --target."
        )
    if settled is not None:
        compiler_of(load_target(settled))
    return settled
