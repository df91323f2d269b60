"""A person of a picture with 2-D keypoints only: scaled, cropped, encoded (MPII and COCO)."""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence

import numpy as np

from tfrecords_tools import images, records
from tfrecords_tools.plan import Converted, Skip


@dataclasses.dataclass(frozen=True)
class Person:
    """Keypoints [14, 3] or [19, 3]: x, y in pixels, visibility; and the factor to resize by."""

    keypoints: np.ndarray
    scale: float


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture with people; `file` is its path below the data set's folder."""

    file: str
    people: Sequence[Person]


def read(root: pathlib.Path, margin: int, picture: Picture) -> Converted:
    """Examples of all people in a picture; one who cannot be used does not cost the others."""
    try:
        image = images.decode(images.read_file(root / picture.file), picture.file)
    except images.BadSampleError as error:
        return Converted(skipped=[error.skip])
    examples: list[bytes] = []
    skipped: list[Skip] = []
    for person in picture.people:
        try:
            examples.append(example(image, person, margin, picture.file))
        except images.BadSampleError as error:
            skipped.append(error.skip)
    return Converted(examples, skipped)


def reader(root: pathlib.Path, margin: int) -> functools.partial:
    """`Plan.read` for pictures below `root`."""
    return functools.partial(read, root, margin)


def example(image: np.ndarray, person: Person, margin: int, file: str) -> bytes:
    """The Example of one person, in a crop of up to `margin` pixels to each side."""
    images.check_keypoints(person.keypoints, file)
    visible = person.keypoints[:, 2].astype(bool)
    size, factors = images.target_size(image, person.scale, file)
    points = images.scale_points(person.keypoints[:, :2], factors)
    center, _ = images.box(points[visible])
    start, end = images.crop_bounds(size, center, margin, file)
    cropped = images.crop(images.resize(image, size), start, end)
    return records.image_example(
        encoded=images.encode(cropped),
        filename=file,
        height=cropped.shape[0],
        width=cropped.shape[1],
        keypoints=np.column_stack([points - start, person.keypoints[:, 2]]),
        center=center - start,
    )


def mean_distance(keypoints: np.ndarray, pairs: Sequence[Sequence[int]]) -> float | None:
    """Mean length in pixels of those `pairs` of which both keypoints are visible, or None."""
    lengths = [
        np.linalg.norm(keypoints[a, :2] - keypoints[b, :2])
        for a, b in pairs
        if keypoints[a, 2] and keypoints[b, 2]
    ]
    return float(np.mean(lengths)) if lengths else None
