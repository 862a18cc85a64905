"""The command line: one verb, one file, no logic; errors become one message and an exit code.

Exit codes: 0 yes; 1 the honest answer is no; 2 wrong use; 3 input unreadable or unsupported; 4 backend missing or
broken; 70 a fault of neurodeploy itself; 130 interrupted.
"""

from __future__ import annotations

import sys
import traceback
from importlib import import_module

import click

from neurodeploy.errors import NeurodeployError

#: Verb -> (module, attribute, one line for --help). The module is loaded only when its verb is used.
VERBS: dict[str, tuple[str, str, str]] = {
    "train": ("train", "train", "Train a recipe's network, resumable, on CPU."),
    "export": ("export", "export", "Turn a trained checkpoint into a .nir file, and prove it."),
    "convert": ("convert", "command", "Turn one format into another: .nir, .net, .onnx."),
    "inspect": ("inspect", "command", "Show what a .nir or .net file holds."),
    "quantize": ("quantize", "command", "Turn a float .nir into a chip's integers, with every error."),
    "map": ("map", "command", "Place a network on the cores of a chip, or say why it does not fit."),
    "simulate": ("simulate", "command", "Run a network on emulator, Lava, netx, ONNX, in float."),
    "estimate": ("estimate", "command", "Count spikes and operations; estimate energy and latency."),
    "check": ("check", "command", "Hold a network against a budget, for continuous integration."),
    "deploy": ("deploy", "command", "All of it: checkpoint or .nir to a directory with a report."),
    "targets": ("targets", "command", "List the chips, show one with the source of every number."),
    "lava": ("lava", "lava", "Install the Lava witness in an environment of its own."),
    "sanafe": ("sanafe", "command", "Install SANA-FE, a peer, or write files for it."),
    "erf": ("erf", "command", "Show which pixels and steps a network's layers hear."),
    "conformance": ("conformance", "command", "Hold every door against networks with known spikes."),
    "doctor": ("doctor", "doctor", "Tell what is installed and works here."),
}

INTERNAL_FAULT = 70
INTERRUPTED = 130


class _Verbs(click.Group):
    """A group that imports a verb's module when the verb is called, so that --help stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        module, attribute, _ = VERBS[cmd_name]
        command = getattr(import_module(f"neurodeploy.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Verbs, in the order of the work"):
            formatter.write_dl([(name, line) for name, (_, _, line) in VERBS.items()])


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="neurodeploy", message="%(package)s %(version)s")
def program() -> None:
    """Take a trained spiking network to a neuromorphic chip: exact, measured, and plain about what is unknown.

    With --verbose, anywhere, an error also shows its traceback.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    given = sys.argv[1:] if arguments is None else arguments
    verbose = "--verbose" in given
    try:
        code = program.main([a for a in given if a != "--verbose"], "neurodeploy", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(0)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    except NeurodeployError as error:
        _explain(f"error: {error}", verbose)
        sys.exit(error.exit_code)
    except MemoryError as error:
        _explain(f"error: out of memory ({error}); give fewer samples or a smaller network", verbose)
        sys.exit(3)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone; there is nobody left to tell
        sys.exit(0)
    except Exception as error:  # noqa: BLE001  # whatever it is, the user gets one line, and the traceback on request
        _explain(f"internal error: {type(error).__name__}: {error}; please report it with --verbose", verbose)
        sys.exit(INTERNAL_FAULT)
    sys.exit(code if isinstance(code, int) else 0)


def _explain(message: str, verbose: bool) -> None:
    if verbose:
        traceback.print_exc()
    click.echo(message, err=True)
