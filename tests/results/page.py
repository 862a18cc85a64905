"""docs/results.md from the figures of all runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.results.claims import Claim, Table, spelled


@dataclass(frozen=True)
class Section:
    """One system: its claims, the names of its experiments, pictures beside the page, and what else was tried."""

    title: str
    claims: tuple[Claim, ...]
    names: tuple[str, ...]
    pictures: tuple[str, ...] = ()
    tried: str = ""


def page(sections: Iterable[Section], document: Mapping[str, Any]) -> str:
    """Return the page: what it is, then for each section its claims and its figures."""
    table: Table = document["figures"]
    lines = [
        "# Results of the trained systems on moving digits",
        "",
        "Made by `make results`; every figure comes from its runs and can be made again. Means over seeds, ranges in",
        f"brackets. {document['date']}, {document['machine']},",
        f"{document['processor minutes']:.0f} minutes of processor in all, one thread a run, seeds",
        f"{', '.join(map(str, document['seeds']))}, at most {document['clips']:,} training clips and 1,600 test clips.",
        "The networks are small and so is the task: what holds here need not hold of the papers' networks, nor the",
        "reverse.",
        "",
    ]
    for section in sections:
        lines += _section(section, table)
    return "\n".join(lines)


def _section(section: Section, table: Table) -> list[str]:
    lines = [f"## {section.title}", "", "| claim | verdict | figures |", "|---|---|---|"]
    lines += [_claim(claim, table) for claim in section.claims]
    columns = sorted({column for name in section.names for column in table.get(name, {})})
    lines += ["", f"| network | {' | '.join(columns)} |", "|---|" + "---|" * len(columns)]
    lines += [f"| {name} | {' | '.join(_cell(table, name, column) for column in columns)} |" for name in section.names]
    if section.tried:
        lines += ["", section.tried.strip()]
    if section.pictures:
        lines += ["", "Spatial maps and temporal curves of the first seed:", ""]
        lines += [f"![{path}]({path})" for path in section.pictures]
    return [*lines, ""]


def _claim(claim: Claim, table: Table) -> str:
    if any(name not in table for name, _ in claim.about):
        return f"| {claim.sentence} | not run | |"
    about = "; ".join(f"{name}: {spelled(table[name][figure])}" for name, figure in claim.about)
    return f"| {claim.sentence} | {'holds' if claim.holds(table) else '**does not hold**'} | {about} |"


def _cell(table: Table, name: str, column: str) -> str:
    values = table.get(name, {}).get(column)
    return spelled(values) if values else ""
