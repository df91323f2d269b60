"""The stand-in body: a sound mesh in the SMPL format, and a plausible person."""

import h5py
import numpy as np
import pytest
import scipy.sparse as sp

from hmr_tf2.smpl import SMPL, load_smpl_file
from hmr_tf2.standin import body, posing, skeleton
from tfrecords_tools import joints


@pytest.fixture(scope="module")
def model():
    return body.make_body()


@pytest.fixture(scope="module")
def mirror():
    return body.load_mesh()[2]


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    return body.write_model_files(tmp_path_factory.mktemp("models"))


def pose_with(**turns):
    pose = np.zeros((24, 3))
    for name, turn in turns.items():
        pose[skeleton.index(name)] = turn
    return pose.ravel()


def volume(vertices, faces):
    a, b, c = vertices[faces].transpose(1, 0, 2)
    return (a * np.cross(b, c)).sum() / 6


def test_shapes_and_types_are_those_of_smpl_files(model):
    assert {key: value.shape for key, value in model.items()} == {
        "v_template": (6890, 3),
        "shapedirs": (6890, 3, 10),
        "posedirs": (6890, 3, 207),
        "J_regressor": (24, 6890),
        "weights": (6890, 24),
        "kintree_table": (2, 24),
        "cocoplus_regressor": (19, 6890),
        "f": (13776, 3),
    }
    assert model["f"].dtype == np.uint32
    assert model["kintree_table"][0, 0] == 4294967295
    assert sp.issparse(model["J_regressor"]) and sp.issparse(model["cocoplus_regressor"])


def test_mesh_is_one_closed_oriented_surface_without_handles(model):
    faces = model["f"].astype(int)
    directed = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    assert len(np.unique(directed, axis=0)) == len(directed)  # each edge once in each direction
    undirected, count = np.unique(np.sort(directed, axis=1), axis=0, return_counts=True)
    assert (count == 2).all()
    assert len(np.unique(faces)) - len(undirected) + len(faces) == 2
    graph = sp.coo_matrix((np.ones(len(directed)), directed.T), shape=(6890, 6890))
    assert sp.csgraph.connected_components(graph)[0] == 1


def test_triangles_face_outwards(model):
    assert 0.05 < volume(model["v_template"], model["f"].astype(int)) < 0.09  # cubic metres


def test_no_triangle_is_degenerate(model):
    corner = model["v_template"][model["f"].astype(int)]
    area = np.linalg.norm(
        np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1
    )
    assert area.min() > 1e-6


def test_template_is_its_own_mirror_image(model, mirror):
    flip = np.array([-1, 1, 1])
    np.testing.assert_array_equal(model["v_template"][mirror] * flip, model["v_template"])
    faces = {tuple(sorted(face)) for face in model["f"].tolist()}
    assert faces == {tuple(sorted(face)) for face in mirror[model["f"].astype(int)].tolist()}


def test_all_parameters_are_mirror_symmetric(model, mirror):
    flip = np.array([-1, 1, 1])
    swap = list(joints.SMPL.flipped)
    np.testing.assert_allclose(model["weights"][mirror][:, swap], model["weights"], atol=1e-12)
    directions = model["shapedirs"]
    np.testing.assert_allclose(directions[mirror] * flip[:, None], directions, atol=1e-12)
    # Reflecting R - I negates the entries with exactly one x index.
    by_joint = model["posedirs"].reshape(6890, 3, 23, 3, 3)
    other = np.array(swap[1:]) - 1
    reflected = by_joint[mirror][:, :, other] * flip[:, None, None, None] * np.outer(flip, flip)
    np.testing.assert_allclose(reflected, by_joint, atol=1e-9)


def test_weights_are_at_most_four_smooth_and_sum_to_one(model):
    weights = model["weights"]
    assert (weights > 0).sum(1).max() <= 4
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-12)
    edges = model["f"].astype(int)[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    change = np.abs(weights[edges[:, 0]] - weights[edges[:, 1]]).max()
    assert change < 0.45  # no edge jumps from one bone to another


def test_every_joint_moves_some_vertices(model):
    assert (model["weights"].max(0) > 0.5).all()


@pytest.mark.parametrize("name", ["J_regressor", "cocoplus_regressor"])
def test_regressors_are_local_means(model, name):
    regressor = model[name]
    assert regressor.data.min() >= 0
    np.testing.assert_allclose(regressor.sum(1), 1, atol=1e-9)
    points = regressor @ model["v_template"]
    for row, point in zip(regressor.toarray(), points, strict=True):
        distance = np.linalg.norm(model["v_template"][row > 0] - point, axis=1)
        assert distance.max() < 0.25


def test_joints_rest_where_the_skeleton_has_them(model):
    rest = model["J_regressor"] @ model["v_template"]
    np.testing.assert_allclose(rest, skeleton.rest_joints(), atol=2e-3)
    keypoints = model["cocoplus_regressor"] @ model["v_template"]
    np.testing.assert_allclose(keypoints, skeleton.rest_keypoints(), atol=5e-3)


def test_joints_lie_inside_the_body(model):
    """The solid angle of the surface seen from a joint is 4 pi (the winding number is 1)."""
    triangles = model["v_template"][model["f"].astype(int)]
    for point in skeleton.rest_joints():
        a, b, c = (triangles - point).transpose(1, 0, 2)
        la, lb, lc = (np.linalg.norm(q, axis=1) for q in (a, b, c))
        top = (a * np.cross(b, c)).sum(1)
        bottom = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
        assert abs(2 * np.arctan2(top, bottom).sum() / (4 * np.pi) - 1) < 1e-6


def test_the_body_faces_front_with_left_on_plus_x(model):
    keypoints = dict(
        zip(joints.COCO_PLUS.names, model["cocoplus_regressor"] @ model["v_template"], strict=True)
    )
    assert keypoints["nose"][2] > keypoints["left_ear"][2] + 0.08
    assert keypoints["left_wrist"][0] > 0.5 > -0.5 > keypoints["right_wrist"][0]
    assert keypoints["head_top"][1] - keypoints["left_ankle"][1] > 1.5
    height = np.ptp(model["v_template"][:, 1])
    assert 1.6 < height < 1.85


def test_shape_directions_mean_what_they_are_called(model):
    template, faces = model["v_template"], model["f"].astype(int)

    def person(index, sign):
        return template + sign * model["shapedirs"][:, :, index]

    assert np.ptp(person(0, 1)[:, 1]) > np.ptp(template[:, 1]) + 0.04
    assert volume(person(1, 1), faces) > 1.1 * volume(template, faces)
    legs = [template, person(2, 1)]
    rest = [model["J_regressor"] @ vertices for vertices in legs]
    hip, ankle = skeleton.index("left_hip"), skeleton.index("left_ankle")
    assert np.ptp(rest[1][[hip, ankle], 1]) > np.ptp(rest[0][[hip, ankle], 1]) + 0.02
    assert np.ptp(person(3, 1)[:, 0]) > np.ptp(template[:, 0]) + 0.04


def test_shapes_within_two_deviations_stay_plausible(model):
    for seed in range(5):
        shape = np.clip(np.random.default_rng(seed).standard_normal(10), -2, 2)
        vertices = model["v_template"] + model["shapedirs"] @ shape
        assert 1.35 < np.ptp(vertices[:, 1]) < 2.1
        assert 0.03 < volume(vertices, model["f"].astype(int)) < 0.14


@pytest.mark.parametrize(
    "turns",
    [
        {"left_elbow": (0, -1.7, 0), "right_elbow": (0, 1.7, 0)},
        {"left_knee": (1.7, 0, 0), "right_knee": (1.7, 0, 0)},
    ],
    ids=["elbows", "knees"],
)
def test_correctives_keep_the_volume_of_bent_limbs(model, turns):
    faces = model["f"].astype(int)
    pose = pose_with(**turns)
    with_correctives = posing.Poser(model).pose(np.zeros(10), pose).vertices
    plain = posing.Poser({**model, "posedirs": 0 * model["posedirs"]})
    without = plain.pose(np.zeros(10), pose).vertices
    straight = volume(model["v_template"], faces)
    lost = straight - volume(with_correctives, faces)
    lost_without = straight - volume(without, faces)
    assert lost_without > 0
    assert abs(lost) < 0.6 * lost_without


def test_quick_poser_equals_the_model(model_path):
    rng = np.random.default_rng(0)
    shape, pose = rng.standard_normal(10), 0.4 * rng.standard_normal(72)
    posed = posing.Poser(load_smpl_file(model_path)).pose(shape, pose)
    smpl = SMPL(model_path, joint_type="cocoplus")
    vertices, keypoints, _ = smpl(
        shape[None].astype(np.float32), pose[None].astype(np.float32), get_skin=True
    )
    # Correctives below 0.02 mm are left out of the quick one.
    np.testing.assert_allclose(posed.vertices, vertices[0], atol=3e-4)
    np.testing.assert_allclose(posed.keypoints, keypoints[0], atol=3e-4)


def test_mean_file_holds_a_symmetric_standing_pose(model_path):
    mean = body.pathlib.Path(model_path).with_name(body.MEAN_NAME)
    with h5py.File(mean) as file:
        pose, shape = file["pose"][:], file["shape"][:]
    assert pose.shape == (72,) and shape.shape == (10,)
    turns = pose.reshape(24, 3)
    np.testing.assert_allclose(turns[list(joints.SMPL.flipped)] * [1, -1, -1], turns)
    vertices = posing.standin_poser().pose(shape, pose).keypoints
    names = joints.COCO_PLUS
    assert vertices[names.index("left_wrist"), 1] < vertices[names.index("left_elbow"), 1]


def test_making_the_body_twice_gives_the_same(model):
    again = body.make_body()
    for key, value in model.items():
        left, right = (q.toarray() if sp.issparse(q) else q for q in (value, again[key]))
        np.testing.assert_array_equal(left, right)
