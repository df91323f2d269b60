"""Models the stand-in body's mesh and writes it as the asset that `body` loads.

python -m hmr_tf2.standin.make_body [hmr_tf2/standin/assets/body.npz]

The result is the same on every run; it takes about a minute.
"""

import argparse
import pathlib

import numpy as np
from absl import logging

from hmr_tf2.standin import implicit, polygonise, remesh, sculpture
from tfrecords_tools.files import replacing

NUM_VERTICES = 6890
ASSET = pathlib.Path(__file__).parent / "assets" / "body.npz"


def make_mesh(cell=0.005):
    """The template: vertices float64 [6890, 3], faces [13776, 3], mirror permutation [6890]."""
    half = implicit.melt(sculpture.left_half())
    # Only the half x >= 0 is meshed and then mirrored, so that the body is symmetric to the bit.

    def distance(points):
        return half(np.column_stack([np.abs(points[:, 0]), points[:, 1:]]))

    def project(points):
        # Vertices on the seam stay on it, and no other one may reach it.
        seam = points[:, 0] == 0
        points = implicit.project(distance, points)
        points[seam, 0] = 0
        points[~seam, 0] = np.maximum(points[~seam, 0], 1e-3)
        return points

    grid = polygonise.sample(distance, (0.0, -0.97, -0.22), (0.93, 0.81, 0.22), cell)
    vertices, faces = largest_piece(*polygonise.triangulate(*grid))
    scale = 0.93
    while True:

        def edge_length(points, scale=scale):
            return sculpture.edge_length(points) * scale

        small = remesh.remesh(vertices, faces, edge_length, project, rounds=10)
        border = (small[0][:, 0] == 0).sum()
        count = 2 * len(small[0]) - border
        logging.info("An edge scale of %.3f gives %d vertices", scale, count)
        if NUM_VERTICES <= count <= NUM_VERTICES * 1.04:
            break
        scale *= np.sqrt(count / (NUM_VERTICES * 1.015))
        vertices, faces = small
    vertices, faces = remesh.to_count(*small, edge_length, NUM_VERTICES)
    for _ in range(8):
        vertices = project(remesh.relax(vertices, faces, 0.4))
    return remesh.mirror(vertices, faces)


def largest_piece(vertices, faces):
    """Drops everything but the largest connected piece."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(vertices)
    edges = faces[:, [[0, 1], [1, 2]]].reshape(-1, 2)
    graph = coo_matrix((np.ones(len(edges)), edges.T), shape=(n, n))
    label = connected_components(graph, directed=False)[1]
    faces = faces[label[faces[:, 0]] == np.bincount(label).argmax()]
    used, packed = np.unique(faces, return_inverse=True)
    return vertices[used], packed.reshape(-1, 3)


def main():
    parser = argparse.ArgumentParser(
        prog="python -m hmr_tf2.standin.make_body",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "path",
        nargs="?",
        type=pathlib.Path,
        default=ASSET,
        help="The .npz file to write; the default is the asset itself.",
    )
    path = parser.parse_args().path
    vertices, faces, permutation = make_mesh()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(
            file,
            vertices=vertices.astype(np.float32),
            faces=faces.astype(np.uint16),
            mirror=permutation.astype(np.uint16),
        )
    print(f"{path}: {len(vertices)} vertices, {len(faces)} faces")


if __name__ == "__main__":
    main()
