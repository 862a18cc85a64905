"""``neurodeploy conformance``: hold every door against networks with known spikes."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neurodeploy.cli.common import console, json_option, print_json, progress, quiet_option

if TYPE_CHECKING:
    from neurodeploy.conformance import Row


@click.command("conformance")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--only", metavar="TEXT", help="Run the cases whose name holds TEXT.")
@click.option("--models/--no-models", default=True, help="Open checkpoints too; this runs the model.py of each case.")
@click.option("--samples", type=click.IntRange(1), help="Compare this many leading samples of each case; default all.")
@json_option
@quiet_option
def command(directory: Path, only: str | None, models: bool, samples: int | None, as_json: bool, quiet: bool) -> None:
    """Run every case of DIR by what its case.json declares; exit 0 only if all hold.

    Four doors: files under their declared reading give the native spikes; the same files with nothing said are asked
    about; checkpoints become the same network; malformed files are refused within limits. Checkpoints run the code of
    DIR: give --no-models for a folder you do not trust.
    """
    from neurodeploy.conformance import Reader, read_cases, run_case, runs_code

    cases = read_cases(directory, only)
    code = [case.name for case in cases if models and runs_code(case)]
    if code:
        click.echo(f"running model.py of {len(code)} cases of {directory} (--no-models leaves them out)", err=True)
    rows: list[Row] = []
    # The code of a case may print; stdout is for the result.
    with contextlib.redirect_stdout(sys.stderr), progress(quiet=quiet or as_json) as bar, Reader() as reader:
        task = bar.add_task("cases", total=len(cases))
        for case in cases:
            rows += run_case(case, reader, models=models, samples=samples)
            bar.advance(task)
    document = _document(directory, len(cases), rows)
    if as_json:
        print_json(document)
    else:
        _show(document)
    sys.exit(0 if document["holds"] else 1)


def _document(directory: Path, cases: int, rows: list[Row]) -> dict[str, Any]:
    verdicts = Counter(row.verdict for row in rows)
    return {
        "folder": str(directory),
        "cases": cases,
        "holds": not verdicts["fails"],
        "verdicts": {name: verdicts[name] for name in ("holds", "fails", "not run")},
        "cells": sum(row.cells or 0 for row in rows),
        "rows": [row.as_dict() for row in rows],
    }


def _show(document: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for heading in ("case", "door", "cells", "mismatches", "verdict", "found"):
        table.add_column(heading, justify="right" if heading in ("cells", "mismatches") else "left")
    for row in document["rows"]:
        counts = ["" if row[key] is None else f"{row[key]:,}" for key in ("cells", "mismatches")]
        verdict = Text(row["verdict"], style=_STYLES[row["verdict"]])
        table.add_row(row["case"], row["door"], *counts, verdict, _short(row))
    console().print(table)
    found = document["verdicts"]
    click.echo(
        f"{document['cases']} cases: {found['holds']} checks hold, {found['fails']} fail, {found['not run']} not run; "
        f"{document['cells']:,} cells compared"
    )


def _short(row: dict[str, Any], most: int = 90) -> str:
    detail = " ".join(row["detail"].split())
    return detail if len(detail) <= most or row["verdict"] == "fails" else detail[: most - 1] + "…"


_STYLES = {"holds": "green", "fails": "bold red", "not run": "yellow"}
