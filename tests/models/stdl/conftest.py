from collections.abc import Iterator

import pytest

from neurodeploy.models.threads import one_thread


@pytest.fixture(autouse=True)
def single_thread() -> Iterator[None]:
    """Networks this small only wait for a second thread."""
    with one_thread():
        yield
