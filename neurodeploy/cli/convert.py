"""``neurodeploy convert``: from one file format to another, by their suffixes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neurodeploy.cli.common import (
    dt_option,
    force_option,
    json_option,
    print_json,
    quantities,
    quiet_option,
    semantics_option,
)
from neurodeploy.errors import UsageError

if TYPE_CHECKING:
    from neurodeploy.rate_conversion import Conversion

Decorator = Callable[[Callable[..., None]], Callable[..., None]]
_FILE = click.Path(path_type=Path)


def _options(*options: Decorator) -> Decorator:
    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


_TO_NET = _options(click.option("--round-bias", is_flag=True, help="To .net: round biases to whole weight units."))
_TO_ONNX = _options(
    click.option("--form", type=click.Choice(["scan", "step"]), help="To .onnx: all steps, or one with its state."),
    click.option("--record", callback=quantities, help="To .onnx: answer with these too, any of u,v."),
    click.option("--payload", metavar="TYPE", help="To .onnx: type of the input; bool, uint8, int8, int32, int64."),
    click.option("--integers-only", is_flag=True, help="To .onnx: no float operations, for inexact runtimes."),
)
_TO_PY = _options(
    click.option("--to", type=click.Choice(["snntorch", "norse"]), help="To .py: whose layers the torch module has."),
)
_FROM_ONNX = _options(
    click.option("--calibrate", type=_FILE, help="From .onnx: .npz with inputs, and labels where there are any."),
    click.option("--test", type=_FILE, help="From .onnx: data for the comparison, like --calibrate."),
    click.option("--encoded", type=_FILE, help="From .onnx: write that data as spikes (.npz)."),
    click.option("--steps", type=int, help="From .onnx: length of a run.  [default: 32]"),
    click.option("--percentile", type=float, help="From .onnx: activation of one spike a step.  [default: 99.9]"),
    click.option("--coding", type=click.Choice(["payload", "rate"]), help="From .onnx: how inputs enter."),
    click.option("--levels", type=int, help="From .onnx: payload of the largest input.  [default: 255]"),
    click.option("--reset", type=click.Choice(["subtract", "zero"]), help="From .onnx: reset after a spike."),
    click.option(
        "--readout", type=click.Choice(["spikes", "membrane"]), help="From .onnx: how the last layer answers."
    ),
    click.option(
        "--max-pool", type=click.Choice(["refuse", "or"]), help="From .onnx: a maximum of spikes for one of rates."
    ),
)


@click.command("convert")
@click.argument("file", type=_FILE)
@click.option("-o", "--output", type=_FILE, required=True, help="A .nir, .net, .onnx or .py.")
@click.option(
    "--target", metavar="CHIP", help="Quantize a float .nir to this chip first: .net and .onnx hold integers."
)
@_TO_NET
@_TO_ONNX
@_TO_PY
@_FROM_ONNX
@dt_option
@semantics_option
@force_option
@json_option
@quiet_option
def command(file: Path, output: Path, **options: Any) -> None:
    """Write the network of FILE to another file, in the format of its suffix.

    From .nir and .net nothing is changed on the way: what the other format cannot hold is an error that names the
    population, and what reads differently there is told as a note.

    A .py is a torch module in the layers of a framework, its state dict beside it as .safetensors.

    An .onnx is read as a trained network without spikes. It becomes a spiking one whose rates are its activations, and
    both are compared on the data of --calibrate (or --test) after 4, 8, 16, ... steps.
    """
    given = {name: value for name, value in options.items() if value not in (None, False, ())}
    _SOURCES.get(file.suffix, _network)(file, output, given)


def _network(file: Path, output: Path, given: dict[str, Any]) -> None:
    """Convert between forms of one network."""
    from neurodeploy.conversion import Particulars, convert

    particulars = {field.name: given.pop(field.name) for field in fields(Particulars) if field.name in given}
    as_json, quiet = (bool(given.pop(name, False)) for name in ("as_json", "quiet"))
    _refuse(given, {"target", "dt", "semantics", "force"}, "is for an .onnx file")
    notes = convert(file, output, particulars=Particulars(**particulars), **given)
    if as_json:
        print_json({"file": str(file), "output": str(output), "notes": list(notes)})
    elif not quiet:
        click.echo("\n".join([f"wrote {output}", *(f"note: {note}" for note in notes)]))


def _ann(file: Path, output: Path, given: dict[str, Any]) -> None:
    """Turn a trained network without spikes into a spiking one."""
    from neurodeploy.rate_conversion import Settings, convert_ann

    as_json, quiet = (bool(given.pop(name, False)) for name in ("as_json", "quiet"))
    settings = {field.name: given.pop(field.name) for field in fields(Settings) if field.name in given}
    calibration = given.pop("calibrate", None)
    _refuse(given, {"test", "encoded", "force"}, "is not for an .onnx file")
    if calibration is None:
        raise UsageError("--calibrate", "is missing", "give an .npz with inputs [samples, *shape]: levels are measured")
    outcome = convert_ann(file, output, calibration, Settings(**settings), **given)
    if as_json:
        print_json(outcome.as_dict())
    elif not quiet:
        _show(outcome)


def _refuse(given: dict[str, Any], allowed: set[str], problem: str) -> None:
    for name in given.keys() - allowed:
        raise UsageError(f"--{name.replace('_', '-')}", problem, "leave it out")


def _show(outcome: Conversion) -> None:
    click.echo(f"wrote {outcome.file}: {len(outcome.graph.nodes)} nodes")
    unit = f"{outcome.coding.unit:g}"
    click.echo(f"  input as {outcome.coding.kind}, one unit is {unit}; compared on {outcome.samples:,} samples")
    labels = "float" in outcome.accuracy
    if labels:
        click.echo(f"  accuracy of the float network: {outcome.accuracy['float']:.2%}")
    for steps, share in outcome.agreement.items():
        accuracy = f", accuracy {outcome.accuracy[str(steps)]:.2%}" if labels else ""
        click.echo(f"  {steps:>5} steps: same answer {share:.2%}{accuracy}")
    for note in outcome.graph.notes:
        click.echo(f"  note: {note}")


#: Suffix of what is read -> what converts it; other suffixes hold networks that spike already.
_SOURCES: dict[str, Callable[[Path, Path, dict[str, Any]], None]] = {".onnx": _ann}
