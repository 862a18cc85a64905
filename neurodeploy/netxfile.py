"""A netx file beside the network that was read from it: what the backend ``netx`` executes is the file itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurodeploy.network import Network


@dataclass(frozen=True, eq=False)
class NetxFile:
    """A ``.net`` file.

    Attributes
    ----------
    path : the file.
    network : what :func:`neurodeploy.export.netx.read_net` made of it, perhaps with a reset schedule.
    """

    path: Path
    network: Network

    @property
    def layers(self) -> int:
        """How many of the file's layers the loader takes: a closing average is the host's."""
        return int(_facts(self.network)["layers"])

    @property
    def driven(self) -> bool:
        """Whether the host drives the first population, see :func:`host_driven`."""
        return host_driven(self.network)


def host_driven(network: Network) -> bool:
    """Return whether the network came from a file whose input layer has neurons, which the host drives."""
    return "transform" in _facts(network)


def netx_notes(network: object) -> list[str]:
    """Return what the reader of a netx file noted: what lava-dl ignores in it, or would not run as written."""
    if isinstance(network, NetxFile):
        return netx_notes(network.network)
    return list(network.provenance["notes"]) if isinstance(network, Network) and _facts(network) else []


def _facts(network: Network) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = network.provenance.get("netx", {})
    return facts
