"""From a live model that computes in the chip's integers to a proved ``.nir`` file of its integer network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.comparison import Comparison, compare
from neurodeploy.errors import NotEqual, UsageError
from neurodeploy.export.live import LiveNetwork
from neurodeploy.files import refuse_existing, replacing
from neurodeploy.netfile import read_network, write_network
from neurodeploy.network import Network, stored_weights
from neurodeploy.nir_export import DRAWN_SAMPLES, read_samples
from neurodeploy.recording import Recording
from neurodeploy.simulation import simulate


@dataclass(frozen=True, eq=False)
class NetworkExport:
    """A written file and what was proved of it."""

    file: Path
    network: Network
    proof: Comparison
    notes: tuple[str, ...]

    @property
    def neurons(self) -> int:
        """The number of neurons."""
        return sum(population.size for population in self.network.populations)

    @property
    def weights(self) -> int:
        """The number of weights that its projections store."""
        return sum(int(stored_weights(each.connection).size) for each in self.network.projections)

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON values."""
        return {
            "file": str(self.file),
            "populations": len(self.network.populations),
            "neurons": self.neurons,
            "weights": self.weights,
            "dt": self.network.dt,
            "proof": {"cells": self.proof.cells, "equal": self.proof.equal, "quantities": list(self.proof.quantities)},
            "notes": list(self.notes),
        }


def export_network(
    model: LiveNetwork,
    path: str | Path,
    *,
    samples: str | Path | None = None,
    seed: int = 0,
    force: bool = False,
) -> NetworkExport:
    """Write the network of a model as ``.nir``, read it back, and prove that every cell is the model's own.

    Parameters
    ----------
    samples : event file to prove it on; drawn in the model's own coding if None.

    Raises
    ------
    UsageError : the file exists and ``force`` is not set, or the samples do not fit.
    NotEqual : a spike, or the membrane of a read-out, is not the model's; no file was written.
    """
    path = Path(path)
    if path.suffix != ".nir":
        raise UsageError(str(path), f"has the suffix {path.suffix or 'none'!r}", "give a name that ends in .nir")
    refuse_existing(path, force=force)
    notes = [str(note) for note in model.network.provenance.get("notes", ())]
    (port,) = model.network.ports
    inputs = model.draw(DRAWN_SAMPLES, seed) if samples is None else read_samples(samples, port.shape, notes)
    with replacing(path) as temporary:
        write_network(model.network, temporary, force=True)
        network = read_network(temporary)
        proof = prove_network(network, {port.name: inputs}, model.record(inputs))
    return NetworkExport(path, network, proof, tuple(notes))


def prove_network(network: Network, inputs: Mapping[str, Any], answers: Recording) -> Comparison:
    """Return the comparison of a network with what a model's own code answered to the same inputs.

    Raises
    ------
    NotEqual : a cell differs; says where, and whether a state of the chip's width overflowed before.
    """
    found = simulate(network, inputs, record=("s", "v"))
    proof = compare(answers, found)
    if not proof.equal:
        over = {name: int(np.add(found.wraps.get(name, 0), found.clips.get(name, 0))) for name in found.spikes}
        places = ", ".join(f"{name} {count:,} times" for name, count in over.items() if count)
        cause = f"; its 24-bit states overflow ({places}), where the model's are wider" if places else ""
        advice = "scale its weights down" if places else "please report it"
        raise NotEqual("the network", f"{proof.summary()}{cause}", f"{advice}; no file was written")
    return proof
