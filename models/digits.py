"""Scikit-learn's handwritten digits as spikes: 1,797 images of 8 x 8 pixels, values 0 to 16, ten classes.

The images are the test part of the UCI set "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak, 1998) and
come inside scikit-learn, so nothing is fetched.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.models.extras import require
from neurodeploy.models.recipe import DataSettings
from neurodeploy.models.spikes import Samples, SpikeDataset, rate_code, split

INPUT_SHAPE = (1, 8, 8)
CLASSES = 10
BRIGHTEST = 16


def load_digits(settings: DataSettings) -> SpikeDataset:
    """Return the digits in rate code over ``settings.steps`` steps, cut as ``settings`` say.

    Raises :class:`neurodeploy.errors.BackendMissing` without scikit-learn.
    """
    require("sklearn", extra="digits")
    from sklearn import datasets

    bunch = datasets.load_digits()
    pixels = bunch.images.astype(np.int64)[:, np.newaxis]
    samples = Samples(rate_code(pixels, settings.steps, BRIGHTEST), bunch.target.astype(np.int64))
    return split(samples, settings.test_samples, settings.calibration_samples, settings.split_seed)
