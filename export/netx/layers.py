"""Each stage of a network as the fields of a netx layer that the loader of lava-dl 0.6.0 runs exactly.

Dense layers whose weights the loader would clip or spoil (:mod:`neurodeploy.export.netx.faults`) are written as a
convolution whose kernel covers the whole source, which its loader leaves alone. Such a layer needs three-dimensional
cells before it, so a dense layer before it becomes a convolution too, of (n, 1, 1) cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neurodeploy.errors import Unsupported
from neurodeploy.export.netx.encode import Notes, bias_field, neuron_fields
from neurodeploy.export.netx.faults import MIXED_RANGE, clipped, fault
from neurodeploy.export.netx.schema import LOADER, Numbers
from neurodeploy.export.netx.stages import Stage, matrix, scaled
from neurodeploy.fixedpoint import STATE_LIMIT
from neurodeploy.network import Convolution, Shape

Fields = dict[str, Any]

#: Lava's convolution holds kernel size, stride, padding, dilation and groups in signed bytes.
_GEOMETRY_MAX = 127


def layers(found: Sequence[Stage], port: Shape, transform: Mapping[str, int], notes: Notes) -> list[Fields]:
    """Return the fields of every layer, ``neuron`` a mapping of its own, in the file's order.

    Parameters
    ----------
    found : the stages in order.
    port : shape of the input.
    transform : what an input layer with neurons says of its image: weight and bias.
    """
    spatial = _spatial(found)
    written: list[Fields] = []
    before = (*port, 1, 1)[:3] if spatial and spatial[0] and len(port) == 1 else port
    if not found[0].driven:
        written.append({"type": "input", "shape": np.array(before)})
    for stage, cover in zip(found, spatial, strict=True):
        if stage.driven:
            fields = {"type": "input", **transform, "neuron": neuron_fields(stage.population, before)}
            after = before
        elif stage.convolution is not None:
            after = stage.population.shape
            fields = _convolution(stage, before)
        elif cover:
            after = (stage.population.size, 1, 1)
            fields = _covering(stage, before)
            notes.lines.append(
                f"population {stage.population.name!r} is written as a convolution of its whole source: {cover}"
            )
        else:
            if len(before) == 3:
                written.append({"type": "flatten", "shape": np.array((int(np.prod(before)), 1, 1))})
            after = (stage.population.size,)
            fields = _dense(stage)
        if not stage.driven:
            fields |= bias_field(stage.population, after, notes)
            fields["neuron"] = neuron_fields(stage.population, after)
        fields["shape"] = np.array(after)
        written.append(fields)
        before = after
    return written


def _spatial(found: Sequence[Stage]) -> list[str]:
    """Return for every stage why it must be written as a covering convolution, "" where it need not."""
    reasons = [_unheld(stage) for stage in found]
    for index in range(len(found) - 1, -1, -1):
        if not reasons[index]:
            continue
        if refusal := _bound_to_dense(found[index]):
            subject = f"population {found[index].population.name!r}"
            advice = "quantize again, with weights of 8 bits and an exponent of 0"
            raise Unsupported(subject, f"{reasons[index]}, and {refusal}", advice)
        if index and len(_file_shape(found[index - 1])) == 1:
            reasons[index - 1] = reasons[index - 1] or "the layer behind it is one"
    return reasons


def _file_shape(stage: Stage) -> Shape:
    return stage.population.shape if stage.convolution or stage.driven else (stage.population.size,)


def _unheld(stage: Stage) -> str:
    """Return what a dense layer would do to the stage's weights, "" for nothing."""
    if stage.driven or stage.convolution is not None:
        return ""
    parts = [matrix(part)[0] for part in (stage.forward, stage.imaginary, stage.recurrent) if part]
    for group in [[part] for part in parts] if stage.imaginary else [parts]:
        low, high = min(int(m.min()) for m in group), max(int(m.max()) for m in group)
        if any((a != b).any() for a, b in zip(clipped(group), group, strict=True)):
            return f"its weights {low} to {high} exceed the {MIXED_RANGE[0]} to {MIXED_RANGE[1]} of {LOADER}"
        if found := fault(group):
            return f"{LOADER} would spoil it ({found})"
    return ""


def _bound_to_dense(stage: Stage) -> str:
    """Return why a stage cannot be a convolution, "" where it can."""
    if stage.recurrent:
        return "a recurrent layer has no other form"
    if stage.imaginary:
        return "a layer of resonators has no other form"
    if any(projection.delay for projection in stage.forward):
        return "a convolution has no delays"
    if stage.driven:
        return "an input layer has no weights"
    if len(stage.source) == 3 and max(stage.source[1:]) > _GEOMETRY_MAX:
        return f"a convolution covers at most {_GEOMETRY_MAX} x {_GEOMETRY_MAX} cells"
    return ""


def _dense(stage: Stage) -> Fields:
    name = stage.population.name
    weight, delay = matrix(stage.forward)
    fields: Fields = {"inFeatures": weight.shape[1], "outFeatures": weight.shape[0]}
    if stage.imaginary:
        imaginary, late = matrix(stage.imaginary)
        if delay.any() or late.any():
            raise Unsupported(f"population {name!r}", f"has delays, which {LOADER} ignores before resonators", "")
        return {**fields, "type": "dense", "weight/real": _floats(weight), "weight/imag": _floats(imaginary)}
    fields |= {"type": "dense", "weight": _floats(weight)}
    if stage.recurrent:
        recurrent, late = matrix(stage.recurrent)
        if delay.any() or late.any():
            problem = f"is recurrent with delays, whose weights {LOADER} would not scale back"
            raise Unsupported(f"population {name!r}", problem, "remove the delays")
        fields |= {"type": "dense_rec", "weight_rec": _floats(recurrent)}
    if delay.any():
        rows = delay[:, :1] if delay.ndim else delay
        # A vector is by output; anything else is written in full, since a vector by input may be taken for one.
        fields["delay"] = rows.ravel() if delay.ndim and (delay == rows).all() else delay
    return fields


def _convolution(stage: Stage, before: Shape) -> Fields:
    projection = stage.convolution
    assert projection is not None
    assert isinstance(projection.connection, Convolution)
    if projection.delay:
        raise Unsupported(
            f"projection {projection.name!r}", f"delay {projection.delay}, {LOADER} ignores delays of convolutions", ""
        )
    if before != stage.source:
        raise Unsupported(
            f"projection {projection.name!r}", f"is a convolution of dense cells {list(before)}", "make it dense"
        )
    geometry = {name: np.array(getattr(projection.connection, name)) for name in ("stride", "padding", "dilation")}
    weight = scaled(projection, projection.connection.weight.astype(np.int64))
    return _kernel(stage, weight, geometry, projection.connection.groups)


def _covering(stage: Stage, before: Shape) -> Fields:
    weight, _ = matrix(stage.forward)
    plain = {"stride": np.ones(2, int), "padding": np.zeros(2, int), "dilation": np.ones(2, int)}
    return _kernel(stage, weight.reshape(len(weight), *before), plain, 1)


def _kernel(stage: Stage, weight: Numbers, geometry: dict[str, Any], groups: int) -> Fields:
    subject = f"population {stage.population.name!r}"
    largest = max(groups, *weight.shape[2:], *(int(values.max()) for values in geometry.values()))
    if largest > _GEOMETRY_MAX:
        raise Unsupported(
            subject, f"kernel, geometry or groups reach {largest}, Lava holds {_GEOMETRY_MAX}", "split it"
        )
    sums = int(np.abs(weight).reshape(len(weight), -1).sum(axis=1).max(initial=0))
    if sums >= STATE_LIMIT:
        raise Unsupported(subject, f"its sums can reach {sums:,}, Lava's convolution wraps at {STATE_LIMIT:,}", "")
    return {
        "type": "conv",
        "inChannels": weight.shape[1] * groups,
        "outChannels": len(weight),
        "kernelSize": np.array(weight.shape[2:]),
        "groups": groups,
        **geometry,
        "weight": _floats(weight),
    }


def _floats(weight: Numbers) -> Any:
    """Return weights in the type that lava-dl itself writes; all below 2^23 are exact in it."""
    return weight.astype(np.float32)
