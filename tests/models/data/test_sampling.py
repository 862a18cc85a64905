import numpy as np
import pytest

from neurodeploy.models.data.sampling import dense, segments


def test_the_centre_frame_of_each_segment_is_taken() -> None:
    assert segments(80, 8).tolist() == [5, 15, 25, 35, 45, 55, 65, 75]
    assert segments(8, 8).tolist() == list(range(8))
    assert segments(3, 6).tolist() == [0, 0, 1, 1, 2, 2]
    assert segments(1, 4).tolist() == [0] * 4


@pytest.mark.parametrize(("frames", "steps"), [(80, 8), (29, 8), (8, 8), (5, 8), (1, 3)])
def test_a_drawn_frame_lies_in_its_segment_and_every_frame_may_come(frames: int, steps: int) -> None:
    draw, seen = np.random.default_rng(0), set()
    for _ in range(400):
        for index, frame in enumerate(segments(frames, steps, draw).tolist()):
            first, behind = index * frames // steps, (index + 1) * frames // steps
            assert first <= frame < max(behind, first + 1)
            seen.add(frame)
    assert seen == set(range(frames))


def test_a_dense_clip_lies_in_the_middle_or_anywhere_and_never_beyond_the_end() -> None:
    assert dense(20, 4, 2).tolist() == [6, 8, 10, 12]
    assert dense(7, 4, 2).tolist() == [0, 2, 4, 6]
    draw = np.random.default_rng(0)
    starts = {(*np.diff(clip).tolist(), int(clip[0])) for clip in (dense(20, 4, 2, draw) for _ in range(300))}
    assert starts == {(2, 2, 2, start) for start in range(14)}


def test_a_video_too_short_for_a_dense_clip_begins_again() -> None:
    assert dense(5, 4, 2).tolist() == [0, 2, 4, 1]
    assert dense(1, 3, 4, np.random.default_rng(0)).tolist() == [0, 0, 0]
