"""The compiled loops of the renderer: a z-buffer, its average over pixels, vertex normals.

The z-buffer takes points [V, 3] = (x, y in samples, nearness), where nearness is linear on the
screen and grows towards the eye. Of two equally near triangles the first one wins.
"""

import numpy as np

from hmr_tf2.compiled import compiled

EMPTY = -np.inf


@compiled
def rasterize(points, faces, colors, height, width, cull):
    """Draws all triangles.

    Args:
        points: float64 [V, 3].
        faces: int32 [F, 3].
        colors: float32 [V, 3], interpolated over a triangle.
        height: rows of samples.
        width: columns of samples.
        cull: whether triangles that face away are left out.

    Returns:
        Nearness float64 [height, width], `EMPTY` where nothing is, and colour float32
        [height, width, 3].
    """
    near = np.full((height, width), EMPTY)
    picture = np.zeros((height, width, 3), np.float32)
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, az = points[a, 0], points[a, 1], points[a, 2]
        bx, by, bz = points[b, 0], points[b, 1], points[b, 2]
        cx, cy, cz = points[c, 0], points[c, 1], points[c, 2]
        # Twice the signed area. As y points down, it is negative for corners that run
        # counter-clockwise on the screen, which is how a triangle that faces the eye runs.
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0.0 or (cull and area > 0.0):
            continue
        # Bounded while still floats: a far-off corner would overflow an integer.
        x0 = int(min(max(np.ceil(min(ax, min(bx, cx))), 0.0), width))
        x1 = int(max(min(np.floor(max(ax, max(bx, cx))), width - 1.0), -1.0))
        y0 = int(min(max(np.ceil(min(ay, min(by, cy))), 0.0), height))
        y1 = int(max(min(np.floor(max(ay, max(by, cy))), height - 1.0), -1.0))
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                # Barycentric coordinates: the shares of the area that lie opposite each corner.
                u = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
                v = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
                w = 1.0 - u - v
                if u < 0.0 or v < 0.0 or w < 0.0:
                    continue
                z = u * az + v * bz + w * cz
                if z > near[y, x]:
                    near[y, x] = z
                    for k in range(3):
                        picture[y, x, k] = u * colors[a, k] + v * colors[b, k] + w * colors[c, k]
    return near, picture


@compiled
def corner_normals(vertices, faces):
    """float64 [V, 3]: unit vertex normals, weighted by triangle areas.

    The weighting costs nothing: the cross product of two sides has twice the area as its length.
    """
    normals = np.zeros((vertices.shape[0], 3))
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux = vertices[b, 0] - vertices[a, 0]
        uy = vertices[b, 1] - vertices[a, 1]
        uz = vertices[b, 2] - vertices[a, 2]
        vx = vertices[c, 0] - vertices[a, 0]
        vy = vertices[c, 1] - vertices[a, 1]
        vz = vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for i in range(3):
            v = faces[f, i]
            normals[v, 0] += nx
            normals[v, 1] += ny
            normals[v, 2] += nz
    for v in range(normals.shape[0]):
        size = np.sqrt(normals[v, 0] ** 2 + normals[v, 1] ** 2 + normals[v, 2] ** 2)
        if size > 0.0:
            for k in range(3):
                normals[v, k] /= size
    return normals


@compiled
def resolve(near, picture, background, samples):
    """Averages `samples` x `samples` blocks over the background.

    Returns:
        float32 colour [H, W, 3], float32 coverage [H, W], float64 nearest [H, W].
    """
    height, width = near.shape[0] // samples, near.shape[1] // samples
    image = np.empty((height, width, 3), np.float32)
    coverage = np.empty((height, width), np.float32)
    nearest = np.empty((height, width))
    share = np.float32(1.0 / (samples * samples))
    for y in range(height):
        for x in range(width):
            red, green, blue = np.float32(0), np.float32(0), np.float32(0)
            hits, best = 0, EMPTY
            for j in range(y * samples, (y + 1) * samples):
                for i in range(x * samples, (x + 1) * samples):
                    if near[j, i] > EMPTY:
                        hits += 1
                        best = max(best, near[j, i])
                        red += picture[j, i, 0]
                        green += picture[j, i, 1]
                        blue += picture[j, i, 2]
            alpha = hits * share
            rest = np.float32(1.0) - alpha
            image[y, x, 0] = red * share + rest * background[y, x, 0]
            image[y, x, 1] = green * share + rest * background[y, x, 1]
            image[y, x, 2] = blue * share + rest * background[y, x, 2]
            coverage[y, x] = alpha
            nearest[y, x] = best
    return image, coverage, nearest
