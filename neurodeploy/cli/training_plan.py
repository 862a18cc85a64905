"""The table of ``train --dry-run``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neurodeploy.models.plan import TrainingPlan

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
        "input": plan.input_bytes,
        "kept for backward": plan.activation_bytes,
    }
    parts = ", ".join(f"{name} {count / 1e6:,.2f}" for name, count in memory.items() if count)
    return [
        f"{plan.recipe}: {plan.parameters:,} parameters; {plan.macs:,} MACs ({2 * plan.macs:,} FLOPs) a sample",
        f"memory with {plan.samples_at_once} samples at once: {plan.total_bytes / 1e6:,.2f} MB ({parts})",
    ]
