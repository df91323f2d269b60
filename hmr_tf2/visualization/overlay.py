"""Draws predictions over their picture: skeleton, mesh, and the mesh from the side."""

import cv2
import numpy as np

from hmr_tf2.visualization.cameras import Camera
from hmr_tf2.visualization.renderer import render, weak_perspective
from tfrecords_tools import joints

LEFT_COLOR, RIGHT_COLOR, MIDDLE_COLOR = (66, 135, 245), (240, 90, 60), (250, 220, 80)


def draw_skeleton(picture: np.ndarray, points: np.ndarray, visible=None) -> np.ndarray:
    """Draws the limbs of LSP's 14 joints; left, right and middle differ in colour.

    Args:
        picture: RGB uint8 [H, W, 3].
        points: float [K, 2], K >= 14, pixels.
        visible: bool [K]; limbs with a hidden end are left out. None means all are visible.
    """
    picture = picture.copy()
    visible = np.ones(len(points), bool) if visible is None else np.asarray(visible, bool)
    # Points far outside would overflow OpenCV's fixed-point coordinates, sixteenths of a pixel.
    at = np.clip(np.nan_to_num(points), -1e4, 1e4)
    thickness = max(1, round(max(picture.shape[:2]) / 110))
    for start, end in joints.LSP_LIMBS:
        if visible[start] and visible[end]:
            _line(picture, at[start], at[end], _side_color(start, end), thickness)
    for joint in np.flatnonzero(visible):
        center = tuple(int(v) for v in np.round(at[joint] * 16))
        cv2.circle(picture, center, 16 * thickness, (255, 255, 255), -1, cv2.LINE_AA, 4)
    return picture


def draw_mesh(
    picture: np.ndarray, vertices: np.ndarray, camera: np.ndarray, faces: np.ndarray
) -> np.ndarray:
    """Renders the body over its crop with HMR's camera, so that it matches its 2-D joints.

    Args:
        picture: RGB uint8 [S, S, 3], the crop.
        vertices: float [V, 3], metres.
        camera: float [3], `[s, tx, ty]`.
        faces: int [F, 3].
    """
    size = picture.shape[:2]
    view = weak_perspective(camera[0], camera[1:], size[0])
    return render(vertices, faces, view, size, background=picture).image


def draw_side(
    vertices: np.ndarray, camera: np.ndarray, faces: np.ndarray, img_size: int, degrees: float
) -> np.ndarray:
    """Renders the body alone, turned around the vertical axis through its middle."""
    middle = (vertices.min(0) + vertices.max(0)) / 2
    angle = np.radians(degrees)
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    view = weak_perspective(camera[0], camera[1:], img_size)
    turned = (vertices - middle) @ turn.T + middle
    return render(turned, faces, view, (img_size, img_size)).image


def panel(
    crop: np.ndarray, out: dict[str, np.ndarray], faces: np.ndarray, row: int = 0
) -> np.ndarray:
    """Input, joints, mesh over the crop, mesh from the side: RGB uint8 [S, 4 S, 3].

    Args:
        crop: RGB uint8 [S, S, 3].
        out: what a predictor returned (`hmr_tf2.predictor`).
        faces: int [F, 3].
        row: which of its bodies.
    """
    vertices, camera = out["verts"][row].astype(np.float64), out["cams"][row]
    return np.concatenate(
        [
            crop,
            draw_skeleton(crop, out["joints"][row]),
            draw_mesh(crop, vertices, camera, faces),
            draw_side(vertices, camera, faces, len(crop), 90.0),
        ],
        axis=1,
    )


def draw_bodies(picture: np.ndarray, bodies, faces: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """Draws bodies over the whole picture, in the order given: the farthest should come first.

    Args:
        picture: RGB uint8 [H, W, 3].
        bodies: triples of vertices float [V, 3] in metres, the weak-perspective camera of the
            picture (anything with `scale` [2] in pixels per metre and `translation` [2] in
            metres), and an RGB colour in [0, 1].
        faces: int [F, 3].
        alpha: opacity of the bodies.
    """
    for vertices, camera, color in bodies:
        view = Camera(
            camera.scale,
            np.zeros(2),
            np.eye(3),
            np.array([*camera.translation, 0.0]),
            is_perspective=False,
        )
        picture = render(
            vertices, faces, view, picture.shape[:2], background=picture, colors=color, alpha=alpha
        ).image
    return picture


def six_views(
    cut: np.ndarray,
    vertices: np.ndarray,
    joints: np.ndarray,
    camera: np.ndarray,
    faces: np.ndarray,
) -> np.ndarray:
    """The panel of the original's demo: RGB uint8 [2 S, 3 S, 3].

    The upper row has the input, its joints, and the mesh over it; the lower row has the mesh
    alone, and turned by 60 and -60 degrees (akanazawa/hmr demo.py, visualize).

    Args:
        cut: RGB uint8 [S, S, 3], what the crop shows, of any resolution.
        vertices: float [V, 3], metres.
        joints: float [K, 2], pixels of `cut`.
        camera: float [3], `[s, tx, ty]`.
        faces: int [F, 3].
    """
    side = len(cut)
    above = [cut, draw_skeleton(cut, joints), draw_mesh(cut, vertices, camera, faces)]
    below = [draw_side(vertices, camera, faces, side, degrees) for degrees in (0.0, 60.0, -60.0)]
    return np.vstack([np.hstack(above), np.hstack(below)])


def _side_color(start: int, end: int):
    sides = {joints.LSP.names[joint].split("_")[0] for joint in (start, end)}
    if sides <= {"left"}:
        return LEFT_COLOR
    return RIGHT_COLOR if sides <= {"right"} else MIDDLE_COLOR


def _line(picture, start, end, color, thickness):
    ends = (tuple(int(v) for v in np.round(point * 16)) for point in (start, end))
    cv2.line(picture, *ends, color, thickness, cv2.LINE_AA, 4)
