"""One picture that shows the stand-in: its body from all sides, poses, and people."""

import cv2
import numpy as np

from hmr_tf2.pictures import write_picture
from hmr_tf2.standin import body, motion, people, posing
from hmr_tf2.visualization.cameras import perspective
from hmr_tf2.visualization.renderer import render
from tfrecords_tools import joints

CELL = (300, 225)
_COLUMNS = 8


def contact_sheet(seed: int = 0) -> np.ndarray:
    """uint8 [H, W, 3]: a row of the body, a row of motions, two rows of people with keypoints."""
    rng = np.random.default_rng(seed)
    mean = body.mean_parameters()
    views = [_body(np.zeros(72), yaw) for yaw in (0, 45, 90, 180)]
    views += [_body(mean["pose"], 30, shape) for shape in np.eye(10)[[0, 1, 4, 5]] * 2.0]
    kinds = sorted(set(motion.KINDS) - {"extremes"})
    moves = [_body(motion.clip(kind, 1, rng, turn=0.5)[0], 20) for kind in kinds]
    photos = [people.random_photo(rng, CELL, height_share=(1.0, 1.15)) for _ in range(16)]
    pictures = [photo.image for photo in photos[:8]] + [_marked(photo) for photo in photos[8:]]
    cells = views + moves[:_COLUMNS] + pictures
    rows = [np.hstack(cells[k : k + _COLUMNS]) for k in range(0, len(cells), _COLUMNS)]
    return np.vstack(rows)


def write_contact_sheet(path, seed: int = 0):
    """Writes `contact_sheet` as a PNG or JPEG file, depending on the suffix of `path`."""
    write_picture(path, contact_sheet(seed))


def _body(pose, yaw, shape=None):
    """The plain body, seen from `yaw` degrees to its left."""
    poser = posing.standin_poser()
    posed = poser.pose(np.zeros(10) if shape is None else shape, pose)
    turn = posing.rotation_matrices(np.array([0, np.deg2rad(yaw), 0]))
    rotation = people.UPRIGHT @ turn
    camera = perspective(
        CELL[0] * 2.2,
        (CELL[1] / 2, CELL[0] / 2),
        -rotation @ [0, -0.08, 0] + [0, 0, 4.6],
        rotation,
    )
    return render(posed.vertices, poser.faces, camera, CELL, samples=3).image


def _marked(photo):
    """The picture with visible joints in green and hidden ones in red."""
    image = np.ascontiguousarray(photo.image)
    for person in photo.people:
        for k, (x, y) in enumerate(person.keypoints_px):
            color = (40, 220, 60) if person.visible[k] else (235, 50, 40)
            radius = 3 if joints.COCO_PLUS.names[k] in joints.LSP.names else 2
            cv2.circle(image, (round(float(x)), round(float(y))), radius, color, -1, cv2.LINE_AA)
    return image
