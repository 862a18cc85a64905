"""Writes small videos in the formats that the datasets come in; what a frame shows tells its number."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

#: Grey levels from one frame to the next: far enough apart for any codec.
STEP = 6


def write_video(path: Path, frames: int, *, size: tuple[int, int] = (48, 64), rate: int = 25, moving: int = 0) -> Path:
    """Write ``frames`` frames of ``size`` (height, width): as .avi in MPEG-4 as Xvid writes, as .webm in VP9.

    Frame i is grey of level ``STEP * i``; with ``moving`` of 1 or -1 a bright square runs over it to the right or left.
    """
    codec, options = ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"})
    if path.suffix == ".avi":
        codec, options = "mpeg4", {"qscale": "2"}
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            image = np.full((*size, 3), STEP * number % 256, np.uint8)
            if moving:
                at = number if moving > 0 else frames - 1 - number
                left = at * (size[1] - 12) // max(frames - 1, 1)
                image[size[0] // 2 - 6 : size[0] // 2 + 6, left : left + 12] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def cut(path: Path, share: float) -> Path:
    """Cut a file to ``share`` of its bytes."""
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    return path
