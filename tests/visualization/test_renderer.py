"""The renderer: the compiled loops and NumPy draw the same picture, and the picture is right."""

import contextlib

import numpy as np
import pytest
import raster_reference

from hmr_tf2.standin import body, posing
from hmr_tf2.visualization import raster
from hmr_tf2.visualization.renderer import (
    Lights,
    hmr_perspective,
    perspective,
    render,
    vertex_normals,
    weak_perspective,
)

SIZE = (120, 100)
FRONT = perspective(150, (49.5, 59.5), (0, 0, 3), np.diag([1.0, -1.0, -1.0]))


@pytest.fixture(scope="module")
def person():
    """A standing body in HMR's camera axes: y down, facing the camera."""
    mean = body.mean_parameters()
    pose = mean["pose"].copy()
    pose[0] = np.pi
    return posing.standin_poser().pose(mean["shape"], pose).vertices


@pytest.fixture(scope="module")
def faces():
    return posing.standin_poser().faces


def quad(z, half=0.5):
    """A square that faces a camera at the origin which looks along +z."""
    corners = np.array([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]])
    return corners, np.array([[0, 2, 1], [0, 3, 2]])


@pytest.mark.parametrize("samples", [1, 2, 3])
@pytest.mark.parametrize("kind", ["perspective", "weak"])
def test_numba_and_numpy_draw_the_same_picture(person, faces, samples, kind):
    camera = (
        hmr_perspective((0.9, 0.1, 0.05), 100)
        if kind == "perspective"
        else (weak_perspective(0.9, (0.1, 0.05), 100))
    )
    rng = np.random.default_rng(0)
    options = {
        "colors": rng.random((6890, 3)),
        "samples": samples,
        "background": rng.integers(0, 255, (*SIZE, 3), np.uint8),
    }
    fast = render(person, faces, camera, SIZE, **options)
    with raster_reference.in_place_of_the_compiled():
        slow = render(person, faces, camera, SIZE, **options)
    # Vertex normals add up in another order, which may move a rounding by one level.
    assert np.abs(fast.image.astype(int) - slow.image.astype(int)).max() <= 1
    np.testing.assert_array_equal(fast.silhouette, slow.silhouette)
    np.testing.assert_array_equal(fast.depth, slow.depth)


@pytest.mark.parametrize("cull", [True, False])
def test_both_rasterisers_agree_bit_for_bit_on_random_triangles(cull):
    rng = np.random.default_rng(1)
    points = rng.uniform(-5, 45, (60, 3))
    triangles = rng.integers(0, 60, (80, 3)).astype(np.int32)
    colors = rng.random((60, 3)).astype(np.float32)
    near, picture = raster.rasterize(points, triangles, colors, 40, 40, cull)
    near_slow, picture_slow = raster_reference.rasterize(points, triangles, colors, 40, 40, cull)
    np.testing.assert_array_equal(near, near_slow)
    np.testing.assert_allclose(picture, picture_slow, atol=1e-6)


def test_square_covers_the_pixels_of_its_projection():
    vertices, triangles = quad(2.0)
    result = render(vertices, triangles, perspective(40, (49.5, 49.5)), (100, 100))
    expected = np.zeros((100, 100), np.float32)
    expected[40:60, 40:60] = 1  # 40 / 2 px a metre, round (49.5, 49.5)
    np.testing.assert_array_equal(result.silhouette, expected)


def test_half_covered_pixels_are_half_opaque():
    vertices, triangles = quad(2.0)
    result = render(vertices, triangles, perspective(40, (49, 49.5)), (100, 100), samples=2)
    assert result.silhouette[50, 39] == 0.5
    assert result.silhouette[50, 40] == 1.0


def test_depth_is_that_of_the_surface():
    vertices, triangles = quad(2.0)
    vertices[:, 2] += vertices[:, 0]  # slanted: z = 2 + x
    camera = perspective(40, (50, 50))
    result = render(vertices, triangles, camera, (100, 100), samples=1)
    # The ray through column c meets the plane at x / z = (c - 50) / 40, so z = 2 / (1 - x / z).
    columns = np.flatnonzero(result.silhouette[50] == 1)
    expected = 2 / (1 - (columns - 50) / 40)
    np.testing.assert_allclose(result.depth[50, columns], expected, rtol=1e-5)
    assert np.isinf(result.depth[0, 0])


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_the_nearer_surface_wins_in_any_order(order):
    parts = [quad(2.0), quad(3.0, 2.0)]
    colors = [(1.0, 0, 0), (0, 0, 1.0)]
    vertices = np.concatenate([parts[k][0] for k in order])
    triangles = np.concatenate([parts[k][1] + 4 * n for n, k in enumerate(order)])
    tint = np.concatenate([np.tile(colors[k], (4, 1)) for k in order])
    image = render(vertices, triangles, perspective(40, (50, 50)), (100, 100), colors=tint).image
    assert image[50, 50, 0] > 0 == image[50, 50, 2]
    assert image[30, 30, 2] > 0 == image[30, 30, 0]


def test_triangles_behind_the_eye_are_left_out():
    vertices, triangles = quad(-2.0)
    result = render(vertices, triangles, perspective(40, (50, 50)), (100, 100), cull=False)
    assert result.silhouette.max() == 0
    assert (result.image == 255).all()


def test_backs_are_culled_only_if_asked():
    vertices, triangles = quad(2.0)
    camera = perspective(40, (50, 50))
    backs = triangles[:, ::-1]
    assert render(vertices, backs, camera, (100, 100)).silhouette.max() == 0
    assert render(vertices, backs, camera, (100, 100), cull=False).silhouette.max() == 1


def test_mesh_outside_the_picture_leaves_the_background(person, faces):
    camera = weak_perspective(0.9, (30, 0), 100)
    background = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)
    result = render(person, faces, camera, SIZE, background=background)
    np.testing.assert_array_equal(result.image, background)


def test_alpha_mixes_mesh_and_background(person, faces):
    camera = weak_perspective(0.9, (0, 0), 100)
    images = [
        render(person, faces, camera, SIZE, alpha=alpha).image.astype(int) for alpha in (0, 0.5, 1)
    ]
    assert (images[0] == 255).all()
    assert np.abs(images[1] - (images[0] + images[2]) / 2).max() <= 1


def test_hmr_weak_perspective_maps_to_the_crop_as_the_model_does():
    scale, tx, ty = 0.8, 0.1, -0.2
    points = np.random.default_rng(0).standard_normal((5, 3))
    pixels, _ = weak_perspective(scale, (tx, ty), 224).project(points)
    expected = (scale * (points[:, :2] + [tx, ty]) + 1) / 2 * 224
    np.testing.assert_allclose(pixels, expected)


def test_hmr_perspective_agrees_with_weak_perspective_at_the_root_depth():
    points = np.array([[0.3, -0.5, 0.0], [-0.2, 0.7, 0.0]])
    weak, _ = weak_perspective(0.8, (0.1, -0.2), 224).project(points)
    pinhole, depth = hmr_perspective((0.8, 0.1, -0.2), 224).project(points)
    np.testing.assert_allclose(weak, pinhole)
    np.testing.assert_allclose(depth, 500 / (112 * 0.8))


def test_projected_vertices_fall_on_the_silhouette(person, faces):
    camera = hmr_perspective((0.9, 0, 0), 100)
    result = render(person, faces, camera, (100, 100), samples=3)
    pixels, depth = camera.project(person)
    column, row = np.clip(np.round(pixels).astype(int), 0, 99).T
    covered = result.silhouette > 0
    # A vertex on an outline may miss all samples of its own pixel, not those of the next ones.
    around = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    near = np.any([np.roll(covered, shift, (0, 1)) for shift in around], axis=0)
    assert near[row, column].all()
    nearest = np.min([np.roll(result.depth, (dy, dx), (0, 1)) for dy, dx in around], axis=0)
    assert (depth - nearest[row, column]).min() > -0.02


def test_normals_are_unit_and_point_outwards(person, faces):
    normals = vertex_normals(person, faces)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)
    moved = person + 0.001 * normals
    volumes = [
        np.einsum("ij,ij->", q[faces[:, 0]], np.cross(q[faces[:, 1]], q[faces[:, 2]]))
        for q in (person, moved)
    ]
    assert volumes[1] > volumes[0]


def test_the_side_towards_the_light_is_brighter(person, faces):
    one = {"colors": np.array([[1.0] * 3]), "ambient": np.zeros(3), "sky": np.zeros(3)}
    camera = weak_perspective(0.9, (0, 0), 100)
    means = []
    for direction in (-1.0, 1.0):
        lights = Lights(directions=np.array([[direction, 0.0, 0.0]]), **one)
        result = render(person, faces, camera, (100, 100), lights=lights, background=(0, 0, 0))
        weight = result.image.sum((0, 2)).astype(float)
        means.append((weight * np.arange(100)).sum() / weight.sum())
    assert means[0] < means[1] - 2


def test_background_of_another_size_is_refused(person, faces):
    with pytest.raises(ValueError, match="50x40"):
        render(person, faces, FRONT, SIZE, background=np.zeros((40, 50, 3), np.uint8))


@pytest.mark.parametrize(
    "loops",
    [contextlib.nullcontext, raster_reference.in_place_of_the_compiled],
    ids=["compiled", "numpy"],
)
def test_far_off_corners_do_no_harm(loops):
    vertices, triangles = quad(2.0)
    vertices[1] = (1e30, -1e25, 1.0)  # of the first triangle only
    view = perspective(40, (50, 50))
    with loops():
        result = render(vertices, triangles, view, (100, 100), cull=False)
    assert result.image.shape == (100, 100, 3)
    assert result.silhouette[54, 45] == 1  # the other triangle


def test_vertices_that_are_not_finite_are_refused(person, faces):
    broken = person.copy()
    broken[7] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        render(broken, faces, FRONT, SIZE)
