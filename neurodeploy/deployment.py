"""What a deployment found out: the values of every step, from which the report is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neurodeploy.comparison import Comparison
from neurodeploy.network import Network
from neurodeploy.npz import Events
from neurodeploy.recording import Recording
from neurodeploy.source import Source

if TYPE_CHECKING:
    from neurodeploy.activity import Activity
    from neurodeploy.energy import Estimate
    from neurodeploy.placement import Placement


@dataclass(frozen=True, eq=False)
class Parity:
    """Which executions were held against each other, all of them equal.

    Attributes
    ----------
    comparisons : the emulator against each of the others, over s, u and v of every neuron and step.
    lava_versions : versions of Lava and what it ran on; empty where it was not consulted.
    lava_absent : why Lava was not consulted; empty where it was.
    """

    comparisons: tuple[Comparison, ...]
    lava_versions: Mapping[str, str]
    lava_absent: str

    @property
    def lava_consulted(self) -> bool:
        """Whether Lava ran the network."""
        return not self.lava_absent


@dataclass(frozen=True, eq=False)
class Findings:
    """Everything that the steps of a deployment produced, before it is put into words.

    Attributes
    ----------
    calibration : the calibration events and how they were chosen, or None for a source that was quantized before.
    recording : spikes of every population over all samples, by the emulator.
    float_predictions : int64 [samples], what the float network answers.
    """

    source: Source
    data: Events
    calibration: tuple[Events, str] | None
    network: Network
    placement: Placement
    recording: Recording
    float_predictions: npt.NDArray[np.int64]
    parity: Parity
    activity: Activity
    estimate: Estimate


@dataclass(frozen=True, eq=False)
class Deployment:
    """A finished deployment.

    Attributes
    ----------
    directory : where its files are.
    report : the document that ``report.json`` holds.
    files : what was written, by path.
    seconds : step -> wall time. It is not part of the report, whose bytes depend on the inputs alone.
    """

    directory: Path
    report: Mapping[str, Any]
    files: tuple[Path, ...]
    findings: Findings
    seconds: Mapping[str, float]

    @property
    def network(self) -> Network:
        """The integer network."""
        return self.findings.network
