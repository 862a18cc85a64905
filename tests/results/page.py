"""docs/results.md from the figures of all runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tests.results.claims import Claim, Table, spelled


def page(sections: Iterable[tuple[str, tuple[Claim, ...], tuple[str, ...]]], document: Mapping[str, Any]) -> str:
    """Return the page: what it is, then for each section its claims and its figures."""
    table: Table = document["figures"]
    lines = [
        "# Results of the trained systems on moving digits",
        "",
        "Made by `make results`; every figure comes from its runs and can be made again. Means over seeds, ranges in",
        f"brackets. {document['date']}, {document['machine']}, {document['minutes']:.0f} minutes, seeds",
        f"{', '.join(map(str, document['seeds']))}, {document['clips']:,} training clips of 8 steps, 1,600",
        "test clips. The networks are small and so is the task: what holds here need not hold of the papers' networks,",
        "nor the reverse.",
        "",
    ]
    for title, claims, names in sections:
        lines += [f"## {title}", "", "| claim | verdict | figures |", "|---|---|---|"]
        lines += [_claim(claim, table) for claim in claims]
        columns = sorted({column for name in names for column in table.get(name, {})})
        lines += ["", f"| network | {' | '.join(columns)} |", "|---|" + "---|" * len(columns)]
        lines += [f"| {name} | {' | '.join(_cell(table, name, column) for column in columns)} |" for name in names]
        lines.append("")
    return "\n".join(lines)


def _claim(claim: Claim, table: Table) -> str:
    if any(name not in table for name, _ in claim.about):
        return f"| {claim.sentence} | not run | |"
    about = "; ".join(f"{name}: {spelled(table[name][figure])}" for name, figure in claim.about)
    return f"| {claim.sentence} | {'holds' if claim.holds(table) else '**does not hold**'} | {about} |"


def _cell(table: Table, name: str, column: str) -> str:
    values = table.get(name, {}).get(column)
    return spelled(values) if values else ""
