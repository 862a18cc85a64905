"""The report of a quantization, as a page, as Markdown or as JSON: the same document in three forms."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from neurodeploy.errors import UsageError
from neurodeploy.report.numbers import NONE, count, percent, significant, span, words

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Section:
    """A table with a title and a sentence on how it is to be read; the columns ``texts`` hold words, not figures."""

    title: str
    text: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: tuple[str, ...] = ()


def render_quantization(document: Document, source: str, path: Path) -> str:
    """Return the report in the form that the suffix of ``path`` asks for.

    Parameters
    ----------
    document : as :func:`neurodeploy.diagnosis.diagnose` makes it.
    source : what was quantized, by the name the user knows it under.

    Raises
    ------
    UsageError : a suffix that is none of .html, .md and .json.
    """
    require_form(path)
    return FORMS[path.suffix](document, source)


def require_form(path: Path) -> None:
    """Raise :class:`UsageError` where a report has no form of this suffix."""
    if path.suffix not in FORMS:
        raise UsageError("--report", f"{path.name} has the suffix {path.suffix!r}", f"one of {', '.join(FORMS)}")


def verdict(document: Document) -> str:
    """Return the finding in some sentences."""
    network, worst = document["network"], document["costliest"]
    parts = []
    if accuracy := network["accuracy"]:
        change = accuracy["change"]
        parts.append(
            f"Accuracy is {_interval(accuracy['float'])} in float and {_interval(accuracy['integer'])} in integers, a "
            f"change of {100 * change['value']:+.2f} points ({100 * change['low']:+.2f} to {100 * change['high']:+.2f})"
        )
    parts.append(f"{_interval(network['changed_answers'])} of the answers change")
    parts.append(f"{worst['name']} costs most: {worst['try']}")
    measured = f"Measured on {document['samples']:,} calibration samples of {document['steps']} steps"
    return f"{'. '.join(parts)}. {measured}; ranges are 95 % intervals."


def sections(document: Document) -> list[Section]:
    """Return the tables of the report."""
    populations = document["populations"]
    parameters = tuple(_parameter(row, entry) for row in populations for entry in row["parameters"])
    candidates = tuple(_candidate(row, entry) for row in populations for entry in row["candidates"])
    return [
        Section(*_POPULATIONS, tuple(_population(row) for row in populations), ("plan",)),
        Section(*_REGISTERS, tuple(_registers(row) for row in populations)),
        Section(*_PARAMETERS, parameters, ("parameter",)),
        Section(*_PLANS, candidates, ("clipping", "rounding", "taken")),
    ]


#: Title, text and headings of each table.
_POPULATIONS = (
    "Populations",
    "Distance (van Rossum, four steps) and agreement (within one step) are with the float spikes; own is the "
    "distance where the population hears the float network, cost what its integers add to the distance of "
    "the answers.",
    ("population", "bits", "plan", "weight SQNR", "own", "distance", "agreement", "count error", "first", "cost"),
)
_REGISTERS = (
    "Registers",
    "Peaks over all calibration samples, as a share of what the chip's bits hold.",
    (
        "population",
        "bits",
        "peak |u|",
        "of range",
        "peak |v|",
        "of range",
        "wraps",
        "clips",
        "spikes per step",
        "float",
    ),
)
_PARAMETERS = (
    "Parameters",
    "The scale is the integers to a float of 1, the smallest where channels differ; the error is relative to "
    "the root mean square of the float values.",
    ("population", "parameter", "float", "integer", "scale", "largest error", "relative error", "time constant"),
)
_PLANS = (
    "Plans tried",
    "Each population alone on the float network's spikes; the network's answers decide which is taken.",
    ("population", "bits", "clipping", "rounding", "scales", "distance", "taken"),
)


def _interval(entry: Document) -> str:
    return f"{percent(entry['value'], 2)} ({percent(entry['low'])} to {percent(entry['high'])})"


def _plan(plan: Document) -> str:
    halved = f", halved {plan['headroom']} times" if plan["headroom"] else ""
    scales = f", {plan['groups']} scales" if plan["groups"] > 1 else ""
    clipped = "not clipped" if plan["clipping"] == "none" else f"clipped by {plan['clipping']}"
    return f"{plan['rounding']}, {clipped}{scales}{halved}"


def _population(row: Document) -> tuple[str, ...]:
    sqnr = NONE if row["weight_sqnr_db"] is None else f"{row['weight_sqnr_db']:.1f} dB"
    first = NONE if row["first_step"] is None else f"step {row['first_step']}"
    shares = (percent(row["agreement"]), percent(row["counts"]))
    distances = significant(row["own_distance"]), significant(row["distance"])
    return (
        row["name"],
        str(row["weight_bits"]),
        _plan(row["plan"]),
        sqnr,
        *distances,
        *shares,
        first,
        f"{row['cost']:+.3g}",
    )


def _registers(row: Document) -> tuple[str, ...]:
    r = row["registers"]
    figures = (str(r["state_bits"]), count(r["u"]), percent(r["u_range"]), count(r["v"]), percent(r["v_range"]))
    return (row["name"], *figures, count(r["wraps"]), count(r["clips"]), significant(r["rate"]), _rate(row))


def _rate(row: Document) -> str:
    return NONE if row["float_rate"] is None else significant(row["float_rate"])


def _parameter(row: Document, entry: Document) -> tuple[str, ...]:
    errors = (significant(entry["largest_error"]), percent(entry["relative_error"], 2))
    spans = span(entry["float"]), span(entry["integer"]), significant(entry["scale"])
    return (row["name"], words(entry["name"]), *spans, *errors, percent(entry.get("time_constant_error"), 2))


def _candidate(row: Document, entry: Document) -> tuple[str, ...]:
    plan = (str(entry["bits"]), entry["clipping"], entry["rounding"], str(entry["groups"]))
    taken = all(entry[name] == row["plan"][name] for name in ("bits", "clipping", "rounding", "groups"))
    return (row["name"], *plan, significant(entry["distance"]), "taken" if taken else "")


def _json(document: Document, source: str) -> str:
    return json.dumps({"source": source, **document}, indent=2, allow_nan=False) + "\n"


def _markdown(document: Document, source: str) -> str:
    lines = [f"# {_cell(source)} in integers of {_cell(document['target'])}", "", _cell(verdict(document)), ""]
    for section in sections(document):
        lines += [f"## {section.title}", "", section.text, ""]
        lines += [_line(section.headings), _line(("---",) * len(section.headings))]
        lines += [_line(row) for row in section.rows] + [""]
    if document["notes"]:
        lines += ["## Notes", "", *(f"* {_cell(note)}" for note in document["notes"]), ""]
    return "\n".join(lines)


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    """Return a text in which nothing is markup: names come from files of other people."""
    escaped = text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")
    return " ".join(escaped.split())


def _html(document: Document, source: str) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("neurodeploy.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("quantization.html")
    return template.render(d=document, source=source, verdict=verdict(document), sections=sections(document))


#: Suffix -> what writes the report in that form.
FORMS: dict[str, Callable[[Document, str], str]] = {".html": _html, ".md": _markdown, ".json": _json}
