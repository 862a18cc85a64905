"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009) from the files of either archive, kept in memory as pixels.

The binary archives hold records of one or two bytes of labels, the fine one last, and 3 x 32 x 32 bytes, red first.
Those for Python hold the same in pickles, of which nothing but arrays, texts and lists is unpacked.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError, UsageError
from neurodeploy.files import replacing
from neurodeploy.models.data.listing import Place
from neurodeploy.models.recipe import DataSettings
from neurodeploy.models.spikes import Labels, Samples, Scaling, SpikeDataset, stratified_pick
from neurodeploy.npz import write_npz

Images = npt.NDArray[np.uint8]

SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
#: The largest file of an archive has 153.6 MB.
_LARGEST = 1 << 28
_AGAIN = "take the file from the archive again"


@dataclass(frozen=True)
class Archive:
    """One form of a dataset: its folder, the files of both sides, and bytes of labels a record; 0 of a pickle."""

    folder: str
    train: tuple[str, ...]
    test: str
    label_bytes: int = 0


@dataclass(frozen=True)
class Cifar:
    """One of the two: its classes, the key of its labels in pickles, its forms, and its training pixels' statistics."""

    place: Place
    classes: int
    key: bytes
    archives: tuple[Archive, ...]
    scaling: Scaling


def _place(name: str, archives: tuple[Archive, ...]) -> Place:
    layout = tuple(f"{form.folder}/{{{','.join((*form.train, form.test))}}}" for form in archives)
    return Place(name, layout, "https://www.cs.toronto.edu/~kriz/cifar.html")


def _scaling(mean: Sequence[float], std: Sequence[float]) -> Scaling:
    return Scaling(tuple(value / 255 for value in mean), tuple(value / 255 for value in std))


_TEN = (
    Archive("cifar-10-batches-bin", tuple(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin", 1),
    Archive("cifar-10-batches-py", tuple(f"data_batch_{n}" for n in range(1, 6)), "test_batch"),
)
_HUNDRED = (
    Archive("cifar-100-binary", ("train.bin",), "test.bin", 2),
    Archive("cifar-100-python", ("train",), "test"),
)

#: By the name that a recipe gives them.
CIFAR: dict[str, Cifar] = {
    "cifar10": Cifar(
        _place("CIFAR-10", _TEN), 10, b"labels", _TEN, _scaling((125.3, 123.0, 113.9), (63.0, 62.1, 66.7))
    ),
    "cifar100": Cifar(
        _place("CIFAR-100", _HUNDRED),
        100,
        b"fine_labels",
        _HUNDRED,
        _scaling((129.3, 124.1, 112.4), (68.2, 65.4, 70.4)),
    ),
}


@dataclass(frozen=True, eq=False)
class Stills:
    """Labelled pictures, each of which stands at every one of ``steps`` steps.

    Attributes
    ----------
    images : uint8 [samples, channels, height, width].
    saved : indices of the samples that :meth:`save` writes, all where None.
    """

    images: Images
    labels: Labels
    steps: int
    saved: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: npt.NDArray[np.integer[Any]]) -> Samples:
        """Return the samples at ``indices``, in that order."""
        return Samples(np.repeat(self.images[indices][:, np.newaxis], self.steps, axis=1), self.labels[indices])

    def fingerprint(self) -> bytes:
        """Return the SHA-256 of pictures, labels, their order and the number of steps."""
        digest = hashlib.sha256(f"{self.images.shape};{self.steps}".encode())
        digest.update(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels, "<i8").data)
        return digest.digest()

    def save(self, path: Path) -> None:
        """Write an event file with the keys ``spikes`` and ``labels``."""
        samples = self.take(np.arange(len(self)) if self.saved is None else self.saved)
        with replacing(path) as temporary:
            write_npz(temporary, {"spikes": samples.spikes, "labels": samples.labels})


def load_cifar(settings: DataSettings) -> SpikeDataset:
    """Return the official split of the dataset that ``settings`` name; all of the test side is tested.

    Raises :class:`InputError` for a folder without it or a damaged file, :class:`UsageError` for another size.
    """
    kind = CIFAR[settings.dataset]
    if settings.size not in (0, SHAPE[1]):
        raise UsageError("data.size", f"is {settings.size}, and {kind.place.name} has 32 x 32 pixels", "leave it out")
    root = kind.place.root(settings.folder)
    form, folder = _found(kind, root)
    train_images, train_labels = _side(kind, form, folder, root, form.train)
    images, labels = _side(kind, form, folder, root, (form.test,))
    saved = stratified_pick(labels, min(settings.test_samples, len(labels)), settings.split_seed)
    picked = stratified_pick(train_labels, settings.calibration_samples, settings.split_seed)
    train = Stills(train_images, train_labels, settings.steps)
    calibration = Stills(train_images[picked], train_labels[picked], settings.steps)
    return SpikeDataset(train, Stills(images, labels, settings.steps, saved), calibration)


def _found(kind: Cifar, root: Path) -> tuple[Archive, Path]:
    """Return the form that lies in ``root``, or is ``root`` itself, and its folder."""
    for form in kind.archives:
        for folder in (root / form.folder, root):
            if (folder / form.test).is_file():
                return form, folder
    raise kind.place.missing(root / kind.archives[0].folder / kind.archives[0].test, root)


def _side(kind: Cifar, form: Archive, folder: Path, root: Path, names: Sequence[str]) -> tuple[Images, Labels]:
    parts = []
    for name in names:
        path = folder / name
        if not path.is_file():
            raise kind.place.missing(path, root)
        if path.stat().st_size > _LARGEST:
            raise InputError(str(path), f"has more than {_LARGEST} bytes", "is it this dataset's?")
        pixels, labels = _records(path, form.label_bytes) if form.label_bytes else _unpickled(path, kind.key)
        if len(wrong := np.flatnonzero((labels < 0) | (labels >= kind.classes))):
            found = f"has the label {labels[wrong[0]]} in record {wrong[0]}, and {kind.place.name} has {kind.classes}"
            raise InputError(str(path), found, _AGAIN)
        parts.append((pixels.reshape(-1, *SHAPE), labels))
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return images, labels


def _records(path: Path, label_bytes: int) -> tuple[Images, Labels]:
    raw = np.fromfile(path, np.uint8)
    if not len(raw) or len(raw) % (label_bytes + _PIXELS):
        raise InputError(str(path), f"has {len(raw)} bytes, no multiple of {label_bytes + _PIXELS}", _AGAIN)
    records = raw.reshape(-1, label_bytes + _PIXELS)
    return records[:, label_bytes:], records[:, label_bytes - 1].astype(np.int64)


#: By module and name, all that a pickle of an array asks for; its module depends on NumPy's version.
_MADE_BY: dict[tuple[str, str], Any] = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0] for core in ("core", "_core")},
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): lambda text, encoding: text.encode(encoding),
}


class _Plain(pickle.Unpickler):
    """A reader of pickles that makes arrays of numbers, and nothing that could run."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what makes an array; refuse everything else."""
        if (module, name) not in _MADE_BY:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _MADE_BY[module, name]


def _unpickled(path: Path, key: bytes) -> tuple[Images, Labels]:
    try:
        with path.open("rb") as stream:
            held = _Plain(stream, encoding="bytes").load()
        pixels, labels = held[b"data"], np.array(held[key], np.int64)
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape != (len(labels), _PIXELS):
            raise ValueError(f"its pictures are not {len(labels)} rows of {_PIXELS} bytes")
        if labels.ndim != 1 or not len(labels):
            raise ValueError("it has no list of labels")
    except Exception as error:  # a damaged pickle raises whatever its parser meets
        raise InputError(str(path), f"is no batch of pictures ({type(error).__name__}: {error})", _AGAIN) from error
    return pixels, labels
