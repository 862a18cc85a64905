"""Video files through PyAV: how many frames one has, whether all of it is there, and chosen frames as RGB.

PyAV lets go of Python's lock while FFmpeg works, so several threads decode several files at once; each file is decoded
by one thread, in order from its beginning, so that a frame's number means the same for every codec.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.files import require_file
from neurodeploy.models.extras import require

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

Pixels = npt.NDArray[np.uint8]

#: Pixels of one frame at most; a header that promises more is taken for damage.
LARGEST_FRAME = 1 << 26

#: A whole file may end so many frames before what its header says, and so large a share; headers are off by one or two.
_SLACK, _SLACK_SHARE = 2, 0.02

#: Packets count the frames of a file, but codecs may keep a few to themselves; fewer than this share come of damage.
_LEAST_DECODED = 0.9

_AGAIN = "take it from the archive again"


def count_frames(path: Path) -> int:
    """Return how many frames the first video stream of a file has, from its packets; nothing is decoded.

    Raises :class:`InputError` for a file that is no video, and for one that ends before what its header promises.
    """
    with _opened(path) as (container, stream):
        found, cut, end = 0, False, 0.0
        for packet in container.demux(stream):
            stamp = packet.dts if packet.pts is None else packet.pts
            found += packet.size > 0
            cut |= packet.is_corrupt
            if stamp is not None and packet.time_base is not None:
                end = max(end, float((stamp + (packet.duration or 0)) * packet.time_base))
        promised, reached = _promised(container, stream), round(end * float(stream.average_rate or 0))
    if not found:
        raise InputError(str(path), "holds no frames", _AGAIN)
    if cut or promised - reached > _SLACK + _SLACK_SHARE * promised:
        raise InputError(str(path), f"is cut short: it ends at frame {reached} of {max(promised, reached)}", _AGAIN)
    return found


def read_frames(path: Path, wanted: npt.NDArray[np.integer]) -> Pixels:
    """Return the frames numbered ``wanted`` of a video as RGB, uint8 [frames, height, width, 3].

    A number beyond the last frame that can be decoded is that frame, as long as nearly all of the file can be. Raises
    :class:`InputError` for a file that is no video or is damaged before the last frame that is asked for.
    """
    needed, last = set(wanted.tolist()), int(wanted.max())
    taken: dict[int, Pixels] = {}
    with _opened(path) as (container, stream):
        number, frame = -1, None
        for number, frame in enumerate(container.decode(stream)):
            if number in needed:
                taken[number] = _rgb(frame)
            if number == last:
                break
        if frame is None or number + 1 < _LEAST_DECODED * (last + 1):
            raise InputError(str(path), f"only {number + 1} of its frames up to {last} can be decoded", _AGAIN)
        for missing in needed - taken.keys():
            taken[missing] = _rgb(frame)
    if len({image.shape for image in taken.values()}) > 1:
        raise InputError(str(path), "changes its frame size on the way", "cut the file where it does")
    return np.stack([taken[index] for index in wanted.tolist()])


def _rgb(frame: VideoFrame) -> Pixels:
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def _promised(container: InputContainer, stream: VideoStream) -> int:
    """Return how many frames the header says that a video lasts, repeated ones with them; 0 where it does not say."""
    if stream.frames or not stream.average_rate or len(container.streams) > 1:
        return stream.frames
    # Matroska counts no frames, but says how long the longest stream takes, in microseconds.
    return round((container.duration or 0) / 1e6 * float(stream.average_rate))


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    require("av", extra="video")
    import av

    try:
        with av.open(str(require_file(path))) as container:
            if not container.streams.video:
                raise InputError(str(path), "has no video in it", _AGAIN)
            stream = container.streams.video[0]
            if not 0 < stream.width * stream.height <= LARGEST_FRAME:
                found = f"says that its frames have {stream.width} x {stream.height} pixels"
                raise InputError(str(path), found, _AGAIN)
            stream.codec_context.thread_count = 1
            yield container, stream
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(str(path), f"cannot be decoded ({reason})", _AGAIN) from error
