"""A conformance case: the folder, and what its ``case.json`` declares."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.npz import read_npz
from neurodeploy.semantics import Semantics, semantics_from

Arrays = Mapping[str, npt.NDArray[Any]]

#: Bytes of a case.json that are read.
_MAX_TEXT = 1 << 22

#: Keys of a declaration that say again what another key says, or fix what is the rule here -> that key or value.
_ECHOES: Mapping[str, str | int] = {"integration": "decay", "initial_state": "v_init", "recurrence_delay_steps": 1}


@dataclass(frozen=True, eq=False)
class Declared:
    """The reading in time under which the native spikes come out.

    Attributes
    ----------
    layers : layer -> its own reading where it differs from ``semantics``.
    biases : layer -> what its membrane gains in every step besides its input.
    """

    dt: float
    semantics: Semantics
    layers: Mapping[str, Semantics]
    biases: Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Case:
    """One folder of a corpus; what it holds is read when asked for."""

    folder: Path
    document: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.name

    @property
    def framework(self) -> str:
        """The tool whose exporter and spikes these are; no known name for hand-built files."""
        return str(self.document.get("framework", ""))

    @property
    def malformed(self) -> bool:
        """Whether the case is a file to be judged, without spikes to compare."""
        return "semantics" not in self.document

    @property
    def wanted(self) -> str:
        """What a good importer does, in the words of the case."""
        must = self.document.get("importer_must") or {}
        return str(self.document.get("importer_should") or f"{must.get('verdict', '')}: {must.get('detail', '')}")

    def file(self, name: str) -> Path | None:
        """Return the path of a file of the case, or None where it has none."""
        path = self.folder / name
        return path if path.is_file() else None

    def comparison(self, name: str) -> Mapping[str, Any]:
        """Return what the case records of comparing ``net.nir`` or ``expected.nir`` under its declared reading."""
        recorded = self.document.get("comparison_under_declared_semantics") or {}
        return recorded.get(name) or recorded.get(name.removesuffix(".nir")) or {}

    @cached_property
    def declared(self) -> Declared:
        """The declared reading in time.

        Raises
        ------
        InputError : a declaration that is unknown here or contradicts itself.
        """
        where = f"{self.name}/case.json"
        try:
            return self._declared(where)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            found = f"declares no readable semantics ({type(error).__name__}: {error})"
            raise InputError(where, found, "the corpus's README says how") from error

    def _declared(self, where: str) -> Declared:
        common, bias = _semantics(self.document["semantics"], {}, where)
        if bias is not None:
            raise InputError(where, "declares a bias for all layers", "declare it for the layer that has it")
        layers: dict[str, Semantics] = {}
        biases: dict[str, npt.NDArray[np.float64]] = {}
        for layer, values in (self.document.get("per_layer_semantics") or {}).items():
            own, bias = _semantics(values, asdict(common), f"{where}: {layer}")
            if own != common:
                layers[layer] = own
            if bias is not None:
                biases[layer] = bias
        return Declared(float(self.document["semantics"]["dt"]), common, layers, biases)

    @cached_property
    def inputs(self) -> Arrays:
        """Input name -> [samples, steps, *shape]; the only input of a case has the name ''."""
        stored = read_npz(self.folder / "input.npz")
        found = {key.partition("/")[2]: values for key, values in stored.items() if key.partition("/")[0] == "spikes"}
        if not found:
            raise InputError(f"{self.name}/input.npz", "holds no spikes", "name them spikes or spikes/INPUT")
        return found

    @cached_property
    def labels(self) -> npt.NDArray[Any] | None:
        """The class of every sample, where the case has classes."""
        return read_npz(self.folder / "input.npz").get("labels")

    @cached_property
    def native(self) -> Arrays:
        """``spikes/<layer>``, ``v/<layer>``, ``output`` or ``output/<name>`` -> what the framework gave."""
        return read_npz(self.folder / "native.npz")

    def node_of(self, layer: str, names: Iterable[str]) -> str | None:
        """Return which of these nodes is the layer of this name, or None.

        A case says how its own file calls its layers; other files of it may use the name of the module, or what the
        exporter makes of it.
        """
        known = set(names)
        told = (self.document.get("layers") or {}).get(layer)
        candidates = (told, layer, f"_{layer}", layer.replace(".", "_"), f"{layer}.lif")
        return next((name for name in candidates if name in known), None)


def read_case(folder: str | Path) -> Case:
    """Return the case in ``folder``; raise :class:`InputError` where its case.json is missing or no JSON object."""
    path = Path(folder) / "case.json"
    try:
        with path.open("rb") as stream:
            text = stream.read(_MAX_TEXT + 1)
        document = json.loads(text.decode())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(str(path), f"is no readable JSON ({error})", "give a folder of conformance cases") from error
    if not isinstance(document, dict):
        raise InputError(str(path), f"holds a {type(document).__name__}", "a JSON object is expected")
    return Case(Path(folder), document)


def read_cases(folder: str | Path, only: str | None = None) -> list[Case]:
    """Return the cases of ``folder`` by name, those whose name holds ``only``; the folder may itself be one case.

    Raises
    ------
    InputError : no such folder, no case in it, or none of that name.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(str(folder), "is no folder", "give a folder of conformance cases")
    places = [folder] if (folder / "case.json").is_file() else sorted(p.parent for p in folder.glob("*/case.json"))
    if not places:
        raise InputError(str(folder), "holds no */case.json", "give a folder of conformance cases")
    chosen = [place for place in places if not only or only in place.name]
    if not chosen:
        raise InputError(str(folder), f"none of its {len(places)} cases has {only!r} in its name", "change --only")
    return [read_case(place) for place in chosen]


def _semantics(
    values: Mapping[str, Any], base: Mapping[str, Any], where: str
) -> tuple[Semantics, npt.NDArray[np.float64] | None]:
    """Return the reading that ``values`` declare over ``base``, and the bias among them."""
    own = {key: value for key, value in values.items() if key not in ("dt", "bias", *_ECHOES)}
    merged = {**base, **own}
    for key, meaning in _ECHOES.items():
        expected = merged.get(meaning, getattr(Semantics(), meaning)) if isinstance(meaning, str) else meaning
        if key in values and values[key] != expected:
            raise InputError(
                where, f"declares {key} = {values[key]!r}, which is not {expected!r}", "nothing else is known"
            )
    bias = values.get("bias")
    return semantics_from(merged, where), None if bias is None else np.asarray(bias, dtype=np.float64)
