"""The command line. One file a command; a command's module is imported when it is called or its help is shown."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import click

from edgecnn import __version__

COMMANDS: dict[str, str] = {
    # name: one line for `edgecnn --help`, kept here so that listing commands imports none of them
    "models": "The model zoo as a table; a model's card.",
    "data": "Data sets: where found, how to get, counts, licence.",
    "train": "Train a model from its recipe.",
    "tune": "Search for the best recipe within the budget, on one machine or many.",
    "crossval": "Train every fold, or several seeds; mean and deviation.",
    "evaluate": "Accuracy with interval, confusion matrix, per-class figures.",
    "quantize": "Full int8 TFLite, calibrated on training data.",
    "export": "C source, C array for TFLite Micro, ONNX, int8 ONNX.",
    "verify": "The compiled C against TFLite Micro, byte for byte, on boards too.",
    "bench": "Latency, memory and accuracy on several runtimes.",
    "compare": "Two measurements: ratios with intervals, and what is noise.",
    "deploy": "To a Raspberry Pi over ssh: tested there, switched atomically, rolled back.",
    "serve": "Predictions from lines, a folder, a camera or HTTP, on the device.",
    "run": "Train, quantize, export, measure and report, in one go.",
    "summary": "Layers, shapes, MACs, weights, memory plan of a model.",
    "doctor": "What is installed, what is missing, how to get it.",
}


class _ClosedOutputError(Exception):
    """Nobody reads standard output any more: ``edgecnn models | head`` is no error."""


@contextlib.contextmanager
def _closed_output() -> Iterator[None]:
    """Carry a closed standard output past click and rich, which would both leave with exit code 1."""
    try:
        yield
    except BrokenPipeError as error:
        raise _ClosedOutputError from error
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):    # rich's way
            raise _ClosedOutputError from error
        raise


class LazyGroup(click.Group):
    """A group that knows its commands' names and imports one when it is needed."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """As click's; here it prints ``--help`` and ``--version``."""
        with _closed_output():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """As click's."""
        with _closed_output():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the workflow."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import ``edgecnn.cli.<name>`` and return its ``command``."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"edgecnn.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with the closest match for a name that is not there."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from edgecnn.errors import unknown_name

            raise unknown_name("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="edgecnn")
def cli() -> None:
    """Convolutional networks from Keras to microcontrollers: train, quantize, export, measure.

    \b
    Example:
      edgecnn run fashion_mnist_cnn        everything, from data to report
      edgecnn train digits_tiny            a model that fits an Arduino Uno
      edgecnn bench model.tflite --data ./photos.zip
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; turns every error a user can cause into one message and an exit code.

    Exit codes: 0 done, 1 it could not be done, 2 wrong usage, 130 stopped by Ctrl-C.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if "--debug" in arguments:
        os.environ["EDGECNN_DEBUG"] = "1"    # the one switch, for every part and for child processes
    debug = os.environ.get("EDGECNN_DEBUG") == "1"
    # `kill` ends the program as Ctrl-C does: temporary files are removed on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(_run(arguments, debug))


def _run(arguments: list[str], debug: bool) -> int:
    from edgecnn.errors import EdgecnnError
    from firmware_export.errors import ModelError

    try:
        code: Any = cli.main(args=arguments, prog_name="edgecnn", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Abort:
        return _stopped(debug)
    except KeyboardInterrupt:
        return _stopped(debug)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (_ClosedOutputError, BrokenPipeError):    # what is left in the buffer must not raise again when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (EdgecnnError, ModelError) as error:
        if debug:
            traceback.print_exc()
        click.echo(f"Error: {error}", err=True)
        return getattr(error, "exit_code", 1)
    except Exception as error:
        if debug:
            traceback.print_exc()
        else:
            click.echo(
                f"Error: {type(error).__name__}: {error}\n"
                "This is a mistake in edgecnn itself. Run again with --debug for the details to report.",
                err=True,
            )
        return 1


def _stopped(debug: bool) -> int:
    if debug:
        traceback.print_exc()
    click.echo("Stopped. Nothing half-written was left behind.", err=True)
    return 130
