"""Tracks people from frame to frame of a video."""

import collections
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from absl import logging
from scipy.optimize import linear_sum_assignment

from hmr_tf2.capture.bodies import Sighting, see
from hmr_tf2.capture.boxes import Boxes, overlap
from hmr_tf2.crops import crop_box, crop_whole_picture
from hmr_tf2.predictor import Predictor

# Overlaps are intersections over unions. Two boxes of one person overlap by at least this much.
SAME_PERSON = 0.3
# Frames for which a detector may lose a person; boxes in between are interpolated.
MAX_GAP = 10
# Followed boxes that overlap by this much have come to follow the same person.
MERGED = 0.8
# A person smaller than this, or larger than this many pictures, is no longer followed.
MIN_SIDE_PX, MAX_PICTURES = 10.0, 2.0

Tracked = tuple[int, np.ndarray, float]


def link(found: Iterable[Boxes]) -> Iterator[list[Tracked]]:
    """Assigns the boxes of each frame to people, and fills short gaps.

    A box goes to the person whose last box, at most `MAX_GAP` frames ago, it overlaps most; all
    boxes of a frame are assigned together. The boxes that are left over are new people. A detector
    that numbers the people itself is believed.

    Yields:
        For each frame (person, box [4], score) of everyone in it, ordered by person; the score of
        a box that was filled in is NaN. A frame comes `MAX_GAP` frames late, when no gap that it
        is in can be filled any more.
    """
    waiting: collections.deque[list[Tracked]] = collections.deque()
    last: dict[int, tuple[int, np.ndarray]] = {}
    # The detector's number -> person, and these people, who are not taken by overlap.
    person_of: dict[int, int] = {}
    have_numbers: set[int] = set()
    num_persons = 0
    for number, boxes in enumerate(found):
        waiting.append([])
        last = {p: seen for p, seen in last.items() if number - seen[0] <= MAX_GAP + 1}
        owners = _owners(boxes, last, person_of, have_numbers)
        for k, (box, score) in enumerate(zip(boxes.boxes, boxes.scores, strict=True)):
            person = owners.get(k, num_persons)
            num_persons = max(num_persons, person + 1)
            if person in last:
                _fill(waiting, person, *last[person], number, box)
            if boxes.tracks is not None and boxes.tracks[k] >= 0:
                person_of[int(boxes.tracks[k])] = person
                have_numbers.add(person)
            waiting[-1].append((person, box, float(score)))
            last[person] = (number, box)
        if len(waiting) > MAX_GAP:
            yield _by_person(waiting.popleft())
    yield from map(_by_person, waiting)


def follow(
    pictures: Iterable[np.ndarray],
    predictor: Predictor,
    find: Callable[[np.ndarray, int], Boxes] | None,
    find_every: int | None,
    name: str,
) -> Iterator[list[Sighting]]:
    """Follows people by their predicted joints: those of a frame give the boxes of the next.

    Args:
        pictures: the frames, RGB uint8 [H, W, 3].
        predictor: recovers the bodies.
        find: gives the boxes of a frame and its number; None means that one person fills the
            whole picture, in the first frame and whenever nobody is left.
        find_every: frames from one look for newcomers to the next; None means only in frame 0.
        name: the video's name, for messages.

    Yields:
        The people of each frame.
    """
    boxes: dict[int, tuple[np.ndarray | None, float]] = {}
    num_persons = 0
    for number, picture in enumerate(pictures):
        newcomers = _newcomers(boxes, picture, number, find, find_every)
        boxes.update(enumerate(newcomers, start=num_persons))
        seen = list(_look(picture, boxes, predictor, f"{name}, frame {number}"))
        num_persons = max([num_persons, *(1 + sighting.person for sighting, _ in seen)])
        yield [sighting for sighting, _ in seen]
        boxes = _still_there(
            {sighting.person: (box_round(joints), np.nan) for sighting, joints in seen},
            np.array(picture.shape[1::-1]),
        )


def box_round(points: np.ndarray) -> np.ndarray:
    """x, y, width, height of the box around points [K, 2]: float [4]."""
    low = points.min(axis=0)
    return np.concatenate([low, points.max(axis=0) - low])


def _by_person(frame: list[Tracked]) -> list[Tracked]:
    return sorted(frame, key=lambda tracked: tracked[0])


def _owners(found, last, person_of, have_numbers) -> dict[int, int]:
    """The known person whom each box shows, one to one; boxes of new people are left out."""
    tracks = np.full(len(found.boxes), -1) if found.tracks is None else found.tracks
    numbered = {k: int(track) for k, track in enumerate(tracks) if track >= 0}
    owners: dict[int, int] = {}
    for k, track in numbered.items():
        # A number should be there once; if it is not, the best box has it.
        if track in person_of and person_of[track] not in owners.values():
            owners[k] = person_of[track]
    others = [k for k in range(len(found.boxes)) if k not in numbered]
    recent = [person for person in last if person not in have_numbers]
    if others and recent:
        shared = overlap(found.boxes[others], np.stack([last[person][1] for person in recent]))
        # The pairs of the largest total overlap (the Hungarian method): box by box, the first
        # could take away the only match of the second.
        for k, c in zip(*linear_sum_assignment(-shared), strict=True):
            if shared[k, c] >= SAME_PERSON:
                owners[others[k]] = recent[c]
    return owners


def _fill(waiting, person, start, first, end, second):
    for number in range(start + 1, end):
        share = (number - start) / (end - start)
        box = (1 - share) * first + share * second
        waiting[number - end - 1].append((person, box, np.nan))


def _newcomers(boxes, picture, number, find, find_every):
    """(box, score) of people who are not followed yet; the box None means the whole picture."""
    if find is None:
        return [] if boxes else [(None, np.nan)]
    is_time = number == 0 if find_every is None else (number % find_every == 0 or not boxes)
    if not is_time:
        return []
    found = find(picture, number)
    known = np.array([box for box, _ in boxes.values()]).reshape(-1, 4)
    shared = overlap(found.boxes, known).max(axis=1, initial=0.0)
    rows = np.flatnonzero(shared < SAME_PERSON)
    return [(found.boxes[k], found.scores[k]) for k in rows]


def _look(picture, boxes, predictor, name) -> Iterator[tuple[Sighting, np.ndarray]]:
    """Yields everyone who is seen in the frame, with their joints [K, 2] in its pixels."""
    crops = {}
    for person, (box, _) in boxes.items():
        try:
            crops[person] = (
                crop_whole_picture(picture, predictor.img_size)
                if box is None
                else crop_box(picture, box, predictor.img_size)
            )
        except ValueError as error:
            logging.warning("%s: %s", name, error)
    if not crops:
        return
    out = predictor.predict_crops(np.stack([crop.image for crop in crops.values()]))
    for row, (person, crop) in enumerate(crops.items()):
        box, score = boxes[person]
        box = [0, 0, *picture.shape[1::-1]] if box is None else box
        try:
            sighting = see(person, box, score, crop, out["theta"][row], name)
            yield sighting, crop.to_picture(out["joints"][row])
        except ValueError as error:
            logging.warning("%s", error)


def _still_there(boxes, size):
    """The boxes that can be cropped in the next frame, each following a different person."""
    kept: dict[int, tuple[np.ndarray, float]] = {}
    for person, (box, score) in boxes.items():
        middle, extent = box[:2] + box[2:] / 2, np.hypot(*box[2:])
        is_inside = (middle >= 0).all() and (middle < size).all()
        is_sized = MIN_SIDE_PX <= extent <= MAX_PICTURES * np.hypot(*size)
        known = np.array([b for b, _ in kept.values()]).reshape(-1, 4)
        is_new = overlap(box[np.newaxis], known).max(initial=0.0) < MERGED
        if is_inside and is_sized and is_new:
            kept[person] = (box, score)
    return kept
