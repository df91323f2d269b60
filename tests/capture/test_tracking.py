"""People keep their number from frame to frame."""

import numpy as np
import pytest

from hmr_tf2.capture import tracking
from hmr_tf2.capture.boxes import Boxes


def frames_of(*rows):
    return [Boxes.of(boxes, np.linspace(0.9, 0.5, len(boxes))) for boxes in rows]


def linked_of(found):
    return list(tracking.link(found))


def moving(start, step, number):
    return [start[0] + step * number, start[1], 40.0, 100.0]


def test_boxes_that_overlap_are_one_person_whatever_their_order():
    found = []
    for k in range(12):
        pair = [moving((0, 0), 8, k), moving((300, 50), -6, k)]
        found.append(Boxes.of(pair, [0.9, 0.8] if k % 2 else [0.8, 0.9]))
    linked = linked_of(found)
    for k, frame in enumerate(linked):
        place = {person: box[0] for person, box, _ in frame}
        first = linked[0][0][1][0] == 0  # whether person 0 is the one who starts at 0
        assert place[0 if first else 1] == 8 * k
        assert place[1 if first else 0] == 300 - 6 * k


def test_a_short_gap_is_filled_in_between():
    found = frames_of([moving((0, 0), 5, 0)], [], [], [moving((0, 0), 5, 3)])
    linked = linked_of(found)
    assert [[p for p, _, _ in frame] for frame in linked] == [[0], [0], [0], [0]]
    np.testing.assert_allclose([frame[0][1][0] for frame in linked], [0, 5, 10, 15])
    assert np.isnan(linked[1][0][2]) and linked[0][0][2] == 0.9


def test_after_a_long_gap_it_is_somebody_else():
    box = [moving((0, 0), 0, 0)]
    found = frames_of(box, *[[]] * (tracking.MAX_GAP + 1), box)
    linked = linked_of(found)
    assert [p for frame in linked for p, _, _ in frame] == [0, 1]


def test_no_frames_and_empty_frames_are_nobody():
    assert linked_of([]) == []
    assert linked_of(frames_of([], [])) == [[], []]


def test_a_detectors_own_numbers_are_believed():
    """Two who swap places between frames, and one who comes back after a long time."""
    left, right = [0, 0, 40, 100], [300, 0, 40, 100]
    found = [
        Boxes.of([left, right], [0.9, 0.8], [7, 3]),
        Boxes.of([left, right], [0.9, 0.8], [3, 7]),
        *[Boxes.of([], [], [])] * (tracking.MAX_GAP + 5),
        Boxes.of([right], [0.9], [3]),
    ]
    linked = linked_of(found)
    assert [(p, box[0]) for p, box, _ in linked[0]] == [(0, 0), (1, 300)]
    assert [(p, box[0]) for p, box, _ in linked[1]] == [(0, 300), (1, 0)]
    assert [p for frame in linked[2:] for p, _, _ in frame] == [1]


def test_boxes_without_a_number_go_by_overlap_and_one_number_is_one_person():
    box, other = [0, 0, 40, 100], [300, 0, 40, 100]
    linked = linked_of(
        [
            Boxes.of([box, other], [0.9, 0.8], [5, -1]),
            Boxes.of([other, box, [600, 0, 40, 100]], [0.9, 0.8, 0.7], [-1, 5, 5]),
        ]
    )
    assert [(p, b[0]) for p, b, _ in linked[1]] == [(0, 0), (1, 300), (2, 600)]


def test_frames_come_as_soon_as_their_gaps_are_closed():
    """An endless video is linked in the memory of a few frames."""
    asked = []

    def endless():
        while True:
            asked.append(0)
            yield Boxes.of([[0, 0, 40, 100]], [0.9])

    linked = tracking.link(endless())
    for _ in range(50):
        next(linked)
    assert len(asked) == 50 + tracking.MAX_GAP


def test_a_box_outside_costs_only_its_own_person(spotter, make_spot, caplog):
    picture = make_spot((320, 240), (160, 120))
    both = Boxes.of([[5000, 10, 50, 50], [140, 88, 34, 64]], [1, 1])
    seen = track_spot(spotter, [picture] * 3, lambda *_: both, None)
    assert [[s.person for s in frame] for frame in seen] == [[1], [1], [1]]
    assert "film.mp4, frame 0: The box 5000,10,50,50" in caplog.text


def track_spot(spotter, pictures, find=None, every=None):
    return list(tracking.follow(pictures, spotter, find, every, "film.mp4"))


def centre_of(sighting, spotter):
    joints = spotter.bodies_of(sighting.theta[np.newaxis])["joints"][0]
    points = sighting.place.to_picture(joints)
    return (points.min(axis=0) + points.max(axis=0)) / 2


def test_a_person_is_followed_by_the_predicted_joints(spotter, make_spot):
    places = [(80 + 6 * k, 90 + 2 * k) for k in range(15)]
    seen = track_spot(spotter, [make_spot((320, 240), place) for place in places])
    assert [[s.person for s in frame] for frame in seen] == [[0]] * 15
    for frame, place in zip(seen, places, strict=True):
        np.testing.assert_allclose(centre_of(frame[0], spotter), place, atol=2.0)
    np.testing.assert_array_equal(seen[0][0].box, [0, 0, 320, 240])
    # The second box is the one round the joints seen in the first frame.
    middle = seen[1][0].box[:2] + seen[1][0].box[2:] / 2
    np.testing.assert_allclose(middle, places[0], atol=2.0)
    assert seen[1][0].box[3] == pytest.approx(60, rel=0.1)


def test_who_leaves_is_no_longer_followed_and_who_comes_has_a_new_number(spotter, make_spot):
    empty = np.full((240, 320, 3), 60, np.uint8)
    there = make_spot((320, 240), (160, 120))
    seen = track_spot(spotter, [there, there, empty, empty, there])
    assert [[s.person for s in frame] for frame in seen] == [[0], [0], [], [], [1]]


def test_a_detector_is_asked_now_and_then_and_names_only_newcomers(spotter, make_spot):
    places = [(70, 120), (250, 120)]
    picture = np.maximum(*(make_spot((320, 240), place) for place in places))
    asked = []

    def find(picture, number):
        asked.append(number)
        count = 1 if number == 0 else 2
        return Boxes.of([[x - 14, y - 32, 28, 64] for x, y in places[:count]], [0.9, 0.8][:count])

    seen = track_spot(spotter, [picture] * 7, find, 3)
    assert asked == [0, 3, 6]
    assert [[s.person for s in frame] for frame in seen] == [[0]] * 3 + [[0, 1]] * 4


def test_given_boxes_count_in_the_first_frame_only(spotter, make_spot):
    picture = make_spot((320, 240), (70, 120))
    box = Boxes.of([[56, 88, 28, 64]], [1])
    dark = np.full_like(picture, 60)
    seen = track_spot(spotter, [picture, picture, dark, picture], lambda *_: box, None)
    assert [[s.person for s in frame] for frame in seen] == [[0], [0], [], []]


def test_two_who_come_to_follow_the_same_person_become_one(spotter, make_spot):
    picture = make_spot((320, 240), (160, 120))
    both = Boxes.of([[140, 88, 34, 64], [150, 84, 34, 70]], [0.9, 0.8])
    seen = track_spot(spotter, [picture] * 3, lambda *_: both, None)
    assert [[s.person for s in frame] for frame in seen] == [[0, 1], [0], [0]]
