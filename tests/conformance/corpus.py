"""The cases of the corpus, and copies of them that lie."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from neurodeploy.conformance import Case, read_case

CASES = Path(__file__).parent / "cases"


def copy_of(name: str, into: Path, **changes) -> Case:
    """Return a copy of a case with other values in its case.json; None takes a key away."""
    folder = into / name
    shutil.copytree(CASES / name, folder)
    document = {**json.loads((folder / "case.json").read_text()), **changes}
    kept = {key: value for key, value in document.items() if value is not None}
    (folder / "case.json").write_text(json.dumps(kept))
    return read_case(folder)


def with_native(case: Case, **changed) -> Case:
    """Return the case with other native arrays; ``spikes_lif`` stands for ``spikes/lif``."""
    path = case.folder / "native.npz"
    arrays = {**dict(case.native), **{key.replace("_", "/", 1): values for key, values in changed.items()}}
    np.savez(path, **arrays)
    return read_case(case.folder)
