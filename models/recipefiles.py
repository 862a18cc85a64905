"""Recipes as files: the packaged ones, what a file may hold, and the recipes that it is based on."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from neurodeploy.errors import InputError, UsageError
from neurodeploy.files import require_file
from neurodeploy.models.tables import describe, nearest

LARGEST_RECIPE = 1 << 18  # bytes; a recipe is read before anything in it can be trusted

#: The key by which a file takes over what it does not say itself from another one.
BASE = "base"

#: The table that is taken over as a whole from a base where it is of the same kind, and not at all elsewhere.
_MODEL = "model"


def packaged_recipes() -> dict[str, Path]:
    """Return the recipes that come with neurodeploy: name -> file."""
    folder = Path(str(resources.files("neurodeploy.models.recipes")))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def read_document(name: str) -> tuple[dict[str, Any], str]:
    """Return the recipe in the file ``name``, or the packaged one of that name, and the name that errors give it.

    Where it has a ``base``, a packaged recipe or a path from its own folder, what it does not say is that recipe's.
    Raises :class:`InputError` for a file that cannot be read and :class:`UsageError` for a base that leads back.
    """
    path, file = _find(name, Path())
    document, seen = _read(path, file), [path]
    while BASE in document:
        base = document.pop(BASE)
        if not isinstance(base, str):
            raise UsageError(f"{file}: {BASE}", f"is {describe(base)}, not the name of a recipe", "correct the value")
        path, _ = _find(base, seen[-1].parent)
        if path in seen:
            raise UsageError(f"{file}: {BASE}", f"leads from {base!r} back to it", "name another recipe")
        seen.append(path)
        document = _over(_read(path, base), document)
    return document, file


def parse_toml(text: str, file: str) -> dict[str, Any]:
    """Return TOML ``text`` as a table, or raise :class:`InputError` naming ``file``."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(file, f"is not valid TOML ({error})", "correct the file") from error


def _over(base: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with what ``document`` says in its place; tables are joined key by key."""
    if "layers" in document or "model" in document:
        own, theirs = document.get(_MODEL), base.get(_MODEL)
        base = {key: value for key, value in base.items() if key not in ("layers", _MODEL)}
        if isinstance(own, dict) and isinstance(theirs, dict) and own.get("kind", kind := theirs.get("kind")) == kind:
            base[_MODEL] = theirs
    joined = dict(base)
    for key, value in document.items():
        before = base.get(key)
        joined[key] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
    return joined


def _find(name: str, folder: Path) -> tuple[Path, str]:
    packaged, path = packaged_recipes(), folder / name
    if not path.is_file() and name in packaged:
        return packaged[name], packaged[name].name
    if not path.exists():
        raise InputError(
            name, "no such recipe file", f"give a TOML file or a packaged recipe; {nearest(path.stem, packaged)}"
        )
    return path, name


def _read(path: Path, name: str) -> dict[str, Any]:
    require_file(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_RECIPE + 1)
        if len(data) > LARGEST_RECIPE:
            raise InputError(name, f"is larger than the {LARGEST_RECIPE} bytes a recipe may have", "is it a recipe?")
        return parse_toml(data.decode("utf-8"), name)
    except UnicodeDecodeError as error:
        raise InputError(name, "is not UTF-8 text", "give a TOML file") from error
    except OSError as error:
        raise InputError(name, f"cannot be read ({error.strerror})", "check its permissions") from error
