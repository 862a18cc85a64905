"""The progress bars of training: epochs done with their figures, and a dataset that is made before them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def epoch_bar(*, disable: bool) -> Progress:
    """Return bars on stderr whose tasks have a description and a field ``figures``."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), disable=disable)


def showing_datasets(bar: Progress) -> AbstractContextManager[None]:
    """Let ``bar`` show, within the block, how many samples of a dataset are made, where one is."""
    from neurodeploy.models.data.making import telling

    tasks: dict[str, TaskID] = {}

    def show(name: str, done: int, of: int) -> None:
        if name not in tasks:
            tasks[name] = bar.add_task(f"{name}: sample", total=of, figures="made for the cache")
        bar.update(tasks[name], completed=done)

    return telling(show)
