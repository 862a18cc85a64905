from pathlib import Path

import av
import numpy as np
import pytest

from neurodeploy.errors import BackendMissing, InputError
from neurodeploy.models import extras
from neurodeploy.models.data.videofile import count_frames, read_frames
from tests.models.data.videos import STEP, cut, write_video


@pytest.mark.parametrize("name", ["a.avi", "b.webm"])
def test_frames_are_counted_and_found_by_their_number(tmp_path: Path, name: str) -> None:
    path = write_video(tmp_path / name, 40)
    assert count_frames(path) == 40
    wanted = np.array([3, 39, 0, 17, 17])
    found = read_frames(path, wanted)
    assert found.shape == (5, 48, 64, 3)
    assert found.dtype == np.uint8
    levels = found.reshape(5, -1).mean(axis=1)
    assert np.abs(levels - STEP * wanted).max() < STEP / 2


def test_colours_are_red_green_blue(tmp_path: Path) -> None:
    path = tmp_path / "red.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        image = np.zeros((32, 32, 3), np.uint8)
        image[..., 0], image[..., 1] = 200, 60
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    means = read_frames(path, np.array([0])).mean(axis=(0, 1, 2))
    assert np.abs(means - [200, 60, 0]).max() < 6


@pytest.mark.parametrize(("name", "share"), [("a.avi", 0.9), ("b.webm", 0.9), ("b.webm", 0.5)])
def test_a_file_that_ends_too_early_is_said_to(tmp_path: Path, name: str, share: float) -> None:
    path = cut(write_video(tmp_path / name, 40), share)
    with pytest.raises(InputError, match=rf"{name}: is cut short: it ends at frame \d+ of \d+; take it from"):
        count_frames(path)
    with pytest.raises(InputError, match=rf"{name}: (only \d+ of its frames up to 100 can|cannot) be decoded"):
        read_frames(path, np.array([100]))


def test_a_file_whose_encoder_left_out_frames_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "dropped.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for number in (*range(5), *range(15, 30)):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), STEP * number, np.uint8), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert count_frames(path) == 20
    levels = read_frames(path, np.array([4, 5])).mean(axis=(1, 2, 3))
    assert np.abs(levels - STEP * np.array([4, 15])).max() < STEP


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
def test_what_is_no_video_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.avi").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.avi: cannot be decoded"):
        count_frames(tmp_path / "x.avi")
    with pytest.raises(InputError, match=r"y\.avi: no such file"):
        count_frames(tmp_path / "y.avi")


def test_a_frame_just_beyond_the_last_is_the_last(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 30)
    beyond, last = read_frames(path, np.array([31, 29]))
    assert np.array_equal(beyond, last)


def test_a_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackendMissing, match=r'av: is not installed here; run: pip install "neurodeploy\[video\]"'):
        count_frames(tmp_path / "a.avi")
