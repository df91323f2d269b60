"""What was seen of a person in a picture, and the body, joints and cameras that follow from it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

import numpy as np
from absl import logging

from hmr_tf2.crops import Crop, CropPlace, PictureCamera, PinholeCamera
from hmr_tf2.predictor import Predictor
from hmr_tf2.theta import split_theta
from hmr_tf2.visualization.renderer import BODY_COLOR

# The original draws with a focal length of 500 pixels for a crop of 224; this is the same for a
# crop of the whole picture (akanazawa/hmr src/util/renderer.py).
FOCAL_TO_SIDE = 500.0 / 224.0

# Colours for several people, which repeat after the last one.
PERSON_COLORS = (
    BODY_COLOR,
    (0.95, 0.71, 0.53),
    (0.66, 0.84, 0.62),
    (0.90, 0.66, 0.80),
    (0.93, 0.87, 0.55),
    (0.60, 0.84, 0.84),
)

Tag = TypeVar("Tag")


class Sighting(NamedTuple):
    """One person in one picture: what is kept of each frame of a video until it is drawn.

    `person` numbers the people of a picture or video from 0; `box` float64 [4] is x, y, width,
    height in pixels; `score` is that of the box, NaN if it has none; `theta` is float32 [85].
    """

    person: int
    box: np.ndarray
    score: float
    place: CropPlace
    theta: np.ndarray

    @property
    def camera(self) -> PictureCamera:
        return self.place.picture_camera(self.cam)

    @property
    def cam(self) -> np.ndarray:
        """The crop's camera, float32 [3]: `[s, tx, ty]`."""
        return split_theta(self.theta).camera


class Body(NamedTuple):
    """A sighting with its body.

    `verts` float32 [V, 3] and `joints3d` [K, 3] are in metres, in camera axes around the body's
    origin; `rotations` is [24, 3, 3]; `joints` [K, 2] are in pixels of the crop, `joints_px` in
    pixels of the picture.
    """

    sighting: Sighting
    verts: np.ndarray
    joints3d: np.ndarray
    joints: np.ndarray
    joints_px: np.ndarray
    rotations: np.ndarray
    camera: PictureCamera
    pinhole: PinholeCamera


def default_focal_length(size: tuple[int, int]) -> float:
    """The focal length in pixels for a picture of `size` (width, height)."""
    return FOCAL_TO_SIDE * max(size)


def see(person: int, box, score: float, crop: Crop, theta: np.ndarray, name: str) -> Sighting:
    """Makes a sighting from the network's output.

    Raises:
        ValueError: no body can be drawn from it; the message starts with `name`.
    """
    if not np.isfinite(theta).all() or theta[0] == 0:
        num_bad = int((~np.isfinite(theta)).sum())
        reason = f"{num_bad} of its outputs are not finite" if num_bad else "its camera scale is 0"
        raise ValueError(f"{name}: the network sees no body here: {reason}.")
    if theta[0] < 0:
        logging.warning(
            "%s: the network's camera scale is negative, as can happen before training, "
            "so the body is upside down.",
            name,
        )
    return Sighting(person, np.asarray(box, np.float64), float(score), crop.place, theta)


def predict(
    crops: Iterable[tuple[Tag, Crop]], predictor: Predictor
) -> Iterator[tuple[Tag, Crop, np.ndarray]]:
    """Yields each crop with its tag and its theta [85], predicted in the predictor's batches."""
    crops = iter(crops)
    while batch := list(islice(crops, predictor.batch_size)):
        theta = predictor.predict_crops(np.stack([crop.image for _, crop in batch]))["theta"]
        for (tag, crop), row in zip(batch, theta, strict=True):
            yield tag, crop, row


def bodies_of(
    sightings: Sequence[Sighting], predictor: Predictor, size: tuple[int, int], focal_length: float
) -> list[Body]:
    """The body of each sighting.

    Args:
        sightings: people in pictures of the same size.
        predictor: makes the bodies.
        size: (width, height) of the pictures.
        focal_length: focal length of the pinhole cameras in pixels.
    """
    if not sightings:
        return []
    out = predictor.bodies_of(np.stack([sighting.theta for sighting in sightings]))
    return [
        body_of(sighting, row, size, focal_length)
        for sighting, row in zip(sightings, rows_of(out), strict=True)
    ]


def rows_of(out: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Splits what a predictor returned into one dict per person."""
    return [dict(zip(out, row, strict=True)) for row in zip(*out.values(), strict=True)]


def body_of(
    sighting: Sighting, row: Mapping[str, np.ndarray], size: tuple[int, int], focal_length: float
) -> Body:
    """The body of one sighting; see `bodies_of`.

    Args:
        row: what the predictor returned for it, one of `rows_of`.
    """
    joints, camera = row["joints"], sighting.camera
    return Body(
        sighting,
        row["verts"],
        row["joints3d"],
        joints,
        sighting.place.to_picture(joints),
        row["rotations"],
        camera,
        camera.perspective(size, focal_length),
    )


def to_draw(bodies: Iterable[Body]) -> list[tuple[np.ndarray, PictureCamera, tuple]]:
    """Vertices, camera and colour of each body, the farthest first."""
    order = sorted(bodies, key=lambda body: -body.pinhole.translation[2])
    return [(body.verts, body.camera, color_of(body.sighting)) for body in order]


def color_of(sighting: Sighting) -> tuple[float, float, float]:
    """The RGB colour in [0, 1] that this person is drawn in."""
    return PERSON_COLORS[sighting.person % len(PERSON_COLORS)]
