"""The table of ``train --dry-run``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neurodeploy.models.plan import TrainingPlan
    from neurodeploy.models.stdl.planning import MethodPlan

_HEAD = ("layer", "kind", "output", "parameters", "MACs", "kept bytes")


def plan_table(plan: TrainingPlan) -> str:
    """Return the plan as text: a line a layer, then the sums."""
    rows: list[tuple[str, ...]] = [_HEAD]
    for layer in plan.layers:
        shape = " x ".join(map(str, layer.shape))
        rows.append(
            (layer.name, layer.kind, shape, *(f"{n:,}" for n in (layer.parameters, layer.macs, layer.kept_bytes)))
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            text.ljust(width) if i < 3 else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join([*(line.rstrip() for line in lines), "", *_sums(plan)])


def _sums(plan: TrainingPlan) -> list[str]:
    memory = {
        "parameters": plan.parameter_bytes,
        "gradients": plan.gradient_bytes,
        "optimizer": plan.optimizer_bytes,
        "average": plan.average_bytes,
        "auxiliary networks": plan.auxiliary_bytes,
        "input": plan.input_bytes,
        "kept for backward": plan.kept_bytes,
    }
    parts = ", ".join(f"{name} {count / 1e6:,.2f}" for name, count in memory.items() if count)
    return [
        f"{plan.recipe}: {plan.parameters:,} parameters; {plan.macs:,} MACs ({2 * plan.macs:,} FLOPs) a sample",
        f"memory with {plan.samples_at_once} samples at once: {plan.total_bytes / 1e6:,.2f} MB ({parts})",
        *([] if plan.method is None else _method(plan, plan.method)),
    ]


def _method(plan: TrainingPlan, method: MethodPlan) -> list[str]:
    """Return what a local method makes of the network: a line each for method and memory, then one a group."""
    budget = f", each in {method.budget_bytes / 1e6:,.2f} MB" if method.budget_bytes else ""
    kept, whole = method.kept_bytes, plan.activation_bytes
    lines = [
        "",
        f"method {method.kind}, time: {method.temporal}; {len(method.groups)} groups{budget}; auxiliary networks of"
        f" {method.auxiliary_parameters:,} parameters",
        f"kept for backward: {kept / 1e6:,.2f} MB, which is {kept / whole:.1%} of what bptt keeps",
    ]
    for group in method.groups:
        units = group.units[0] + (f" to {group.units[-1]}" if len(group.units) > 1 else "")
        beside = "its own head" if group.auxiliary is None else ", ".join((*group.auxiliary, "classifier"))
        taken = f": {group.bytes / 1e6:,.2f} MB" if group.bytes else ""
        lines.append(f"  {units} with {beside}{taken}")
    return lines
