"""Pinhole and weak-perspective cameras in NumPy, for the renderer.

Camera axes: x right, y down, z into the picture. Pixel centres have whole coordinates, so the
upper left corner of a picture is at (-0.5, -0.5), as in HMR's keypoints and in OpenCV.
"""

import dataclasses

import numpy as np

# Points nearer than this, in their own unit, count as behind the camera, so that no division by
# zero occurs.
NEAR = 1e-3


@dataclasses.dataclass(frozen=True)
class Camera:
    """x_px = focal * (R X + t)[:2] / depth + principal_point; without perspective `depth` is 1.

    `focal` and `principal_point` are [2] in pixels, `rotation` [3, 3], `translation` [3] in the
    unit of the points.
    """

    focal: np.ndarray
    principal_point: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    is_perspective: bool = True

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """float [..., 3]: world points in camera axes."""
        return points @ self.rotation.T + self.translation

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World points [..., 3] to pixels [..., 2] and depths [...] along the view axis."""
        local = self.to_camera(np.asarray(points))
        depth = local[..., 2]
        divisor = np.maximum(depth, NEAR)[..., None] if self.is_perspective else 1.0
        return local[..., :2] / divisor * self.focal + self.principal_point, depth


def perspective(focal, principal_point, translation=(0, 0, 0), rotation=None) -> Camera:
    """A pinhole camera.

    Args:
        focal: focal length in pixels, one number or (x, y).
        principal_point: (x, y) in pixels.
        translation: added to the points after the rotation.
        rotation: float [3, 3] from world to camera; None means the identity.
    """
    return Camera(
        np.broadcast_to(np.asarray(focal, np.float64), 2),
        np.asarray(principal_point, np.float64),
        np.eye(3) if rotation is None else np.asarray(rotation, np.float64),
        np.asarray(translation, np.float64),
    )


def weak_perspective(scale: float, translation, img_size: float) -> Camera:
    """HMR's camera [s, tx, ty]: 2-D = s * (X + [tx, ty]) in [-1, 1] of a crop of `img_size`."""
    half = img_size / 2
    return Camera(
        np.full(2, float(scale) * half),
        np.full(2, half),
        np.eye(3),
        np.array([translation[0], translation[1], 0.0]),
        is_perspective=False,
    )


def hmr_perspective(camera, img_size: float, focal: float = 500.0) -> Camera:
    """The pinhole camera that HMR draws with in place of its weak-perspective [s, tx, ty].

    At depth tz = focal / (img_size / 2 * s) both scales agree (akanazawa/hmr,
    src/util/renderer.py:222).
    """
    scale, tx, ty = (float(q) for q in camera)
    half = img_size / 2
    return perspective(focal, (half, half), (tx, ty, focal / (half * scale)))
