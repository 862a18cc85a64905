"""``neurodeploy check``: hold a network against a budget, for continuous integration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from neurodeploy.cli.common import (
    console,
    dt_option,
    force_option,
    json_option,
    open_events,
    open_network,
    print_json,
    semantics_option,
)

if TYPE_CHECKING:
    from neurodeploy.checking import Row, Verdict


@click.command("check")
@click.argument("network", type=click.Path(path_type=Path))
@click.option("--budget", "budget_path", required=True, type=click.Path(path_type=Path), help="The limits, .toml.")
@click.option("--against", type=click.Path(path_type=Path), help="Result of an earlier check, for growth and accuracy.")
@click.option("--target", metavar="CHIP", help="A chip's name or .toml; the budget's own if unset.")
@click.option("--input", "data", type=click.Path(path_type=Path), help="Input spikes, .npz; the budget's own if unset.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write the result as JSON, for a later --against."
)
@click.option("--markdown", is_flag=True, help="Print a Markdown table, for a job summary.")
@dt_option
@semantics_option
@force_option
@json_option
def command(
    network: Path,
    budget_path: Path,
    against: Path | None,
    target: str | None,
    data: Path | None,
    output: Path | None,
    markdown: bool,
    dt: float | None,
    semantics: str | None,
    force: bool,
    as_json: bool,
) -> int:
    """Hold NETWORK against a budget; exit code 0 if it keeps every limit, 1 if not."""
    from neurodeploy.budget import read_budget
    from neurodeploy.checking import check, read_earlier
    from neurodeploy.errors import UsageError
    from neurodeploy.files import refuse_existing, replacing
    from neurodeploy.targets.chip import load_chip

    if markdown and as_json:
        raise UsageError("--markdown", "cannot go with --json", "choose one; -o writes JSON beside a table")
    if output:
        refuse_existing(output, force=force)
    budget = read_budget(budget_path)
    name = target or budget.target
    if name is None:
        raise UsageError(str(budget_path), "names no target", 'add target = "loihi2", or give --target')
    chip = load_chip(name)
    loaded = open_network(network, target=name, dt=dt, semantics=semantics)
    source = data or budget.data
    events = open_events(source, budget.samples) if source is not None and budget.needs_data else None
    verdict = check(loaded, chip, budget, events, None if against is None else read_earlier(against))
    if output:
        with replacing(output) as temporary:
            temporary.write_text(json.dumps(verdict.as_dict(), indent=2) + "\n", encoding="utf-8")
    if as_json:
        print_json(verdict.as_dict())
    elif markdown:
        click.echo(_markdown(verdict, network.name))
    else:
        _show(verdict)
    return 0 if verdict.passed else 1


_HEADINGS = ("quantity", "measured", "limit", "before", "change", "")


def _cells(row: Row, digits: int) -> tuple[str, ...]:
    from neurodeploy.energy import rounded

    def spell(value: float | None, *, exact: bool = False) -> str:
        if value is None:
            return ""
        shown = rounded(value, digits) if row.unit and digits and not exact else value
        text = f"{int(shown):,}" if shown == int(shown) else f"{shown:.4g}"
        return f"{text} {row.unit}".strip()

    change = "" if row.change is None else f"{row.change:+.1%}"
    state = "over" if not row.passed else "ok" if row.limit is not None else ""
    limit = spell(row.limit, exact=True)
    return row.name, spell(row.measured) or "not measured", limit, spell(row.before), change, state


def _markdown(verdict: Verdict, name: str) -> str:
    answer = "within budget" if verdict.passed else "**over budget**"
    # The name of a file is data: nothing in it may start a cell, a tag or a link.
    plain = "".join(c if c.isalnum() or c in "._- " else "?" for c in name)
    lines = [f"### `{plain}` on {verdict.target}: {answer}", ""]
    lines += [f"| {' | '.join(_HEADINGS)} |", "|---|---:|---:|---:|---:|---|"]
    lines += [f"| {' | '.join(_cells(row, verdict.significant_digits))} |" for row in verdict.rows]
    lines += ["", *(f"* does not fit: {_plain(text)}" for text in verdict.misfits)]
    if verdict.source_class:
        lines.append(f"Energy and latency stand on numbers of class '{verdict.source_class}'.")
    return "\n".join(lines)


def _plain(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in text)


def _show(verdict: Verdict) -> None:
    from rich.table import Table

    table = Table(title=f"{verdict.target}: {'within budget' if verdict.passed else 'over budget'}")
    for heading in _HEADINGS:
        table.add_column(heading, justify="left" if heading in ("quantity", "") else "right")
    for row in verdict.rows:
        table.add_row(*_cells(row, verdict.significant_digits))
    screen = console()
    screen.print(table)
    for text in verdict.misfits:
        screen.print(f"does not fit: {text}", markup=False)
    if verdict.source_class:
        screen.print(f"energy and latency stand on numbers of class {verdict.source_class!r}")
