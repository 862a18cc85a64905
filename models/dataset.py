"""The datasets a recipe may name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from neurodeploy.errors import UsageError
from neurodeploy.models import digits
from neurodeploy.models.augmentations import augment_of, check_augmentations
from neurodeploy.models.data import cifar, dense, moving, pictures, recorded
from neurodeploy.models.data.coco import COCO_CLASSES
from neurodeploy.models.data.layouts import RECORDED
from neurodeploy.models.data.segmentation import ADE20K_CLASSES
from neurodeploy.models.parts import stratified_part
from neurodeploy.models.recipe import DataSettings
from neurodeploy.models.spikes import Scaling, SpikeDataset
from neurodeploy.models.tables import nearest
from neurodeploy.models.tasks.kinds import CLASSIFICATION, DETECTION, SEGMENTATION


@dataclass(frozen=True)
class DatasetKind:
    """What a network must know of a dataset before it is loaded, and how to load it.

    ``scaling`` makes input of its values; None where they are counts, which are taken as they are. ``task`` is one of
    :mod:`neurodeploy.models.tasks.kinds`; any but classification has ``dense`` in the place of ``load``.
    """

    input_shape: tuple[int, int, int]
    classes: int
    load: Callable[[DataSettings], SpikeDataset]
    scaling: Scaling | None = None
    task: str = CLASSIFICATION
    dense: Callable[[DataSettings], dense.DenseDataset] | None = None


def _recorded(settings: DataSettings) -> DatasetKind:
    return DatasetKind(recorded.input_shape(settings), RECORDED[settings.dataset].classes, recorded.load_recorded)


def _pictures(settings: DataSettings) -> DatasetKind:
    classes = pictures.PICTURES[settings.dataset].classes
    return DatasetKind(
        pictures.input_shape(settings), classes, pictures.load_pictures, pictures.SCALINGS[settings.pixels]
    )


def _cifar(settings: DataSettings) -> DatasetKind:
    kind = cifar.CIFAR[settings.dataset]
    scaling = kind.scaling if settings.pixels == "normal" else pictures.SCALINGS[settings.pixels]
    return DatasetKind(cifar.SHAPE, kind.classes, cifar.load_cifar, scaling)


def _ade20k(settings: DataSettings) -> DatasetKind:
    scaling, shape = pictures.SCALINGS[settings.pixels], dense.crop_shape(settings)
    return DatasetKind(shape, ADE20K_CLASSES, dense.refuse_labels, scaling, SEGMENTATION, dense.load_segmentation)


def _coco(settings: DataSettings) -> DatasetKind:
    scaling, shape = pictures.SCALINGS[settings.pixels], dense.photograph_shape(settings)
    return DatasetKind(shape, COCO_CLASSES, dense.refuse_labels, scaling, DETECTION, dense.load_detection)


#: What is known of a dataset may depend on the settings: which label is asked decides how many classes there are.
DATASETS: dict[str, Callable[[DataSettings], DatasetKind]] = {
    "digits": lambda _: DatasetKind(digits.INPUT_SHAPE, digits.CLASSES, digits.load_digits),
    "moving-digits": lambda settings: DatasetKind(
        moving.INPUT_SHAPE, moving.CLASSES[settings.label], moving.load_moving_digits
    ),
    **dict.fromkeys(RECORDED, _recorded),
    **dict.fromkeys(pictures.PICTURES, _pictures),
    **dict.fromkeys(cifar.CIFAR, _cifar),
    "ade20k": _ade20k,
    "coco": _coco,
}


def dataset_kind(settings: DataSettings) -> DatasetKind:
    """Return the dataset that ``settings`` name, or raise :class:`UsageError` with the nearest name."""
    if settings.dataset not in DATASETS:
        raise UsageError(f"dataset {settings.dataset!r}", "is not known", nearest(settings.dataset, DATASETS))
    return DATASETS[settings.dataset](settings)


def require_batches(kind: DatasetKind, subject: str) -> None:
    """Raise :class:`UsageError` where networks for the dataset take lists of images, naming ``subject``."""
    if kind.task == DETECTION:
        problem = "is a detector, which takes images of any sizes, and not one array"
        raise UsageError(subject, problem, "give a classifier on the same backbone")


def load_samples(settings: DataSettings) -> SpikeDataset | dense.DenseDataset:
    """Return the dataset that ``settings`` name for the task that it is for."""
    kind = dataset_kind(settings)
    return load_dataset(settings) if kind.dense is None else kind.dense(settings)


def load_dataset(settings: DataSettings) -> SpikeDataset:
    """Return the dataset that ``settings`` name, with what they ask to change in training samples.

    A dataset that brings an ``augment`` of its own keeps it. Raises :class:`UsageError` for one without a class a
    sample.
    """
    kind = dataset_kind(settings)
    data = kind.load(settings)
    data = replace(data, train=stratified_part(data.train, settings.train_samples, settings.split_seed))
    if data.augment is not None:
        return data
    check_augmentations(settings.augment, kind.input_shape[0], from_files=False)
    return replace(data, augment=augment_of(settings.augment, kind.classes))
