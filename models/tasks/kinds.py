"""The tasks by name, as datasets and networks say which they are for; no torch here."""

from __future__ import annotations

CLASSIFICATION, SEGMENTATION, DETECTION = "classification", "segmentation", "detection"

#: What a network is judged by, a share from 0 to 1, as people call it.
SCORES = {CLASSIFICATION: "accuracy", SEGMENTATION: "mean IoU", DETECTION: "box AP"}
