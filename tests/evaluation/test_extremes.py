"""Which frames are shown."""

import numpy as np

from hmr_tf2.evaluation.extremes import worst_and_best
from hmr_tf2.evaluation.frames import Frames


def frames(errors, recording):
    count = len(errors)
    nothing = np.zeros(count)
    return Frames(
        recording=np.array(recording),
        record=np.arange(count),
        filename=nothing,
        errors_mm=np.tile(np.array(errors, float)[:, np.newaxis], 14),
        errors_pa_mm=nothing,
        errors_px=np.zeros((count, 0)),
        torso_px=nothing,
        head_px=nothing,
        labels={},
    )


def test_the_most_extreme_come_first():
    worst, best = worst_and_best(frames([5, 1, 9, 3, 7, 2], range(6)), 2)
    assert worst.tolist() == [2, 4] and best.tolist() == [1, 5]


def test_no_frame_is_in_both():
    worst, best = worst_and_best(frames([3, 1, 2], range(3)), 30)
    assert worst.tolist() == [0] and best.tolist() == [1, 2]


def test_one_bad_recording_does_not_hide_the_others():
    chosen = frames([*range(100, 140), *range(40), *range(50, 70)], [0] * 40 + [1] * 40 + [2] * 20)
    worst, best = worst_and_best(chosen, 15)
    assert chosen.recording[worst].tolist() == [0] * 10 + [2] * 5
    assert chosen.recording[best].tolist() == [1] * 10 + [2] * 5
    assert set(chosen.recording[worst_and_best(chosen, 15, None)[0]]) == {0}


def test_nothing_gives_nothing():
    assert [len(side) for side in worst_and_best(frames([], []), 5)] == [0, 0]
    assert [len(side) for side in worst_and_best(frames([1, 2], [0, 0]), 0)] == [0, 0]
