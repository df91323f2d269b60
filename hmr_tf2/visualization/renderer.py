"""Renders meshes: z-buffer, smooth shading, antialiasing; pictures, depth and silhouettes.

    camera = hmr_perspective(cam, img_size=224)
    result = render(vertices, faces, camera, (224, 224), background=crop)

It needs only a CPU and no system library; the first call after an installation compiles for some
seconds.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from hmr_tf2.visualization import raster
from hmr_tf2.visualization.cameras import (
    NEAR,
    Camera,
    hmr_perspective,
    perspective,
    weak_perspective,
)

__all__ = [
    "BODY_COLOR",
    "Camera",
    "Lights",
    "RenderResult",
    "hmr_perspective",
    "perspective",
    "render",
    "vertex_normals",
    "weak_perspective",
]

BODY_COLOR = (0.65, 0.74, 0.86)


class RenderResult(NamedTuple):
    """A picture with its geometry.

    `image` is uint8 [H, W, 3]; `depth` float32 [H, W] is that of the nearest surface in a pixel,
    inf where there is none; `silhouette` float32 [H, W] is the covered share of a pixel.
    """

    image: np.ndarray
    depth: np.ndarray
    silhouette: np.ndarray


@dataclasses.dataclass(frozen=True)
class Lights:
    """Distant lights in camera axes (x right, y down, z away from the eye).

    `directions` [L, 3] point from the surface to the light, `colors` [L, 3] and `ambient` [3] are
    factors of the surface colour; `sky` [3] is added in full where a surface looks up.
    """

    directions: np.ndarray = dataclasses.field(
        default_factory=lambda: np.array([[-0.5, -0.6, -0.8], [0.9, -0.2, -0.5], [0, 0.3, 1.0]])
    )
    colors: np.ndarray = dataclasses.field(
        default_factory=lambda: np.array([[0.62] * 3, [0.22] * 3, [0.15] * 3])
    )
    ambient: np.ndarray = dataclasses.field(default_factory=lambda: np.full(3, 0.26))
    sky: np.ndarray = dataclasses.field(default_factory=lambda: np.full(3, 0.12))

    def shade(self, normals: np.ndarray) -> np.ndarray:
        """float [V, 3]: the factor of the surface colour for unit `normals` [V, 3]."""
        to_light = self.directions / np.linalg.norm(self.directions, axis=1, keepdims=True)
        # The light wraps a little around the edge of the shadow, which looks more like skin.
        facing = np.maximum((normals @ to_light.T + 0.15) / 1.15, 0.0)
        up = 0.5 - 0.5 * normals[:, 1:2]
        return facing @ self.colors + self.ambient + up * self.sky


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """float64 [V, 3]: unit normals; triangles run counter-clockwise seen from outside."""
    return raster.corner_normals(np.asarray(vertices, np.float64), np.asarray(faces, np.int32))


def render(
    vertices: np.ndarray,
    faces: np.ndarray,
    camera: Camera,
    size: tuple[int, int],
    *,
    colors=None,
    background=None,
    lights: Lights | None = None,
    alpha: float = 1.0,
    samples: int = 2,
    cull: bool = True,
) -> RenderResult:
    """Draws a mesh.

    Args:
        vertices: float [V, 3], in the world of `camera`.
        faces: int [F, 3], counter-clockwise seen from outside.
        camera: what `perspective`, `weak_perspective` or `hmr_perspective` returned.
        size: (height, width) of the picture.
        colors: float [V, 3] or [3] in [0, 1]; None means `BODY_COLOR`.
        background: uint8 [H, W, 3], an RGB colour in [0, 1], or None for white.
        lights: the lights; None means three lamps as in a studio.
        alpha: opacity of the mesh over the background.
        samples: antialiasing by `samples` x `samples` rays per pixel.
        cull: whether to leave out triangles seen from behind (right for closed meshes).

    Returns:
        A `RenderResult`.
    """
    local = _in_camera_axes(vertices, camera)
    points, faces = _to_samples(local, np.ascontiguousarray(faces, np.int32), camera, samples)
    lit = _lit(colors, vertex_normals(local, faces), lights or Lights())
    result = _empty(_background(background, *size))
    # Only the rectangle that the mesh can touch is drawn, into a view of the result.
    rectangle = _rectangle(points, samples, *size)
    part = RenderResult(*(whole[rectangle] for whole in result))
    near, picture = _rasterize(points, faces, lit, rectangle, samples, cull)
    image, coverage, nearest = raster.resolve(
        near, picture, part.image.astype(np.float32) / 255, samples
    )
    part.depth[:] = _depth(nearest, camera)
    part.silhouette[:] = coverage
    part.image[:] = _blend(image, part.image, alpha)
    return result


def _in_camera_axes(vertices, camera):
    local = camera.to_camera(np.asarray(vertices, np.float64))
    if not np.isfinite(local).all():
        raise ValueError("`vertices` hold numbers that are not finite: did the training diverge?")
    return local


def _lit(colors, normals, lights):
    """float32 [V, 3] in [0, 1]: the colours of the vertices under the lights."""
    colors = np.asarray(BODY_COLOR if colors is None else colors, np.float64)
    return (colors * lights.shade(normals)).clip(0, 1).astype(np.float32)


def _empty(scene):
    """The result where nothing has been drawn on the picture `scene` yet."""
    size = scene.shape[:2]
    return RenderResult(scene, np.full(size, np.inf, np.float32), np.zeros(size, np.float32))


def _rasterize(points, faces, lit, rectangle, samples, cull):
    """`raster.rasterize` for the samples of the pixels in `rectangle`."""
    rows, columns = rectangle
    local = points - [columns.start * samples, rows.start * samples, 0]
    height, width = (samples * (side.stop - side.start) for side in rectangle)
    return raster.rasterize(local, faces, lit, height, width, cull)


def _blend(image, scene, alpha):
    """uint8 [H, W, 3]: float `image` in [0, 1], of opacity `alpha`, over the uint8 `scene`."""
    if alpha < 1:
        image = alpha * image + (1 - alpha) / 255 * scene
    return (image * 255 + 0.5).astype(np.uint8)


def _to_samples(local, faces, camera, samples):
    """float64 [V, 3]: sample coordinates and nearness; and the faces in front of the eye."""
    points = np.empty_like(local)
    # Centres of pixels and of samples both have whole coordinates, hence the half shifts.
    scale, shift = camera.focal * samples, (camera.principal_point + 0.5) * samples - 0.5
    if camera.is_perspective:
        # A triangle with a corner behind the eye would be projected inside out.
        in_front = local[:, 2] > NEAR
        if not in_front.all():
            faces = faces[in_front[faces].all(1)]
        # 1 / depth is linear on the screen, as the z-buffer demands; depth itself is not.
        points[:, 2] = 1.0 / np.maximum(local[:, 2], NEAR)
        points[:, :2] = local[:, :2] * points[:, 2:] * scale + shift
    else:
        points[:, 2] = -local[:, 2]
        points[:, :2] = local[:, :2] * scale + shift
    return points, np.ascontiguousarray(faces)


def _rectangle(points, samples, height, width):
    """Slices of rows and columns: the pixels that the mesh can touch, at least one."""
    low = np.floor(points[:, :2].min(0, initial=1e9) / samples)
    high = np.ceil(points[:, :2].max(0, initial=-1e9) / samples) + 1
    x0, y0 = np.clip(low, 0, [width - 1, height - 1]).astype(int).tolist()
    x1, y1 = np.clip(high, [x0 + 1, y0 + 1], [width, height]).astype(int).tolist()
    return slice(y0, y1), slice(x0, x1)


def _depth(nearest, camera):
    empty = nearest == raster.EMPTY
    depth = 1.0 / np.where(empty, 1.0, nearest) if camera.is_perspective else -nearest
    return np.where(empty, np.inf, depth).astype(np.float32)


def _background(background, height, width):
    """A new uint8 [H, W, 3]."""
    if background is None:
        background = (1.0, 1.0, 1.0)
    background = np.asarray(background)
    if background.ndim == 3:
        if background.shape[:2] != (height, width):
            raise ValueError(
                f"`background` is {background.shape[1]}x{background.shape[0]} pixels; expected "
                f"{width}x{height}, the size of the picture."
            )
        return background.astype(np.uint8)
    pixels = (background * 255 + 0.5).astype(np.uint8)
    return np.broadcast_to(pixels, (height, width, 3)).copy()
