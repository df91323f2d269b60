"""The body: equal to a slow float64 reference by both routes, in every execution mode."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf2.smpl import SMPL, batch_global_rigid_transformation, batch_rodrigues, load_smpl_file
from hmr_tf2.smpl.kinematics import tree_levels


def reference_rodrigues(theta):
    """One 3-vector to a matrix, with the original's 1e-8."""
    angle = np.linalg.norm(theta + 1e-8)
    x, y, z = theta / angle
    axis = np.array([[x, y, z]])
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.cos(angle) * np.eye(3) + (1 - np.cos(angle)) * axis.T @ axis + np.sin(angle) * skew


def reference_body(body, beta, theta):
    """Vertices, keypoints and joints of one body, vertex by vertex, in float64."""
    dense = {k: v.todense() if hasattr(v, "todense") else v for k, v in body.items()}
    v_shaped = dense["v_template"] + dense["shapedirs"] @ beta
    rest = np.asarray(dense["J_regressor"]) @ v_shaped
    Rs = np.stack([reference_rodrigues(t) for t in theta.reshape(24, 3)])
    v_posed = v_shaped + dense["posedirs"] @ (Rs[1:] - np.eye(3)).ravel()
    parents = body["kintree_table"][0]
    world = []
    for j in range(24):
        local = np.eye(4)
        local[:3, :3] = Rs[j]
        local[:3, 3] = rest[j] - (rest[parents[j]] if j else 0)
        world.append(world[parents[j]] @ local if j else local)
    joints = np.stack([w[:3, 3] for w in world])
    for j in range(24):
        shift = np.eye(4)
        shift[:3, 3] = -rest[j]
        world[j] = world[j] @ shift
    blended = np.einsum("vj,jab->vab", dense["weights"], np.stack(world))
    homogeneous = np.concatenate([v_posed, np.ones((len(v_posed), 1))], axis=1)
    verts = np.einsum("vab,vb->va", blended, homogeneous)[:, :3]
    return verts, np.asarray(dense["cocoplus_regressor"]) @ verts, joints


@pytest.fixture(scope="module")
def bodies():
    rng = np.random.default_rng(1)
    theta = rng.normal(0, 0.6, (5, 72)).astype(np.float32)
    theta[1] = 0.0
    return rng.normal(0, 1, (5, 10)).astype(np.float32), theta


@pytest.fixture(scope="module")
def small(small_smpl_path):
    return SMPL(small_smpl_path)


@pytest.fixture(scope="module")
def expected(small_smpl_path, bodies):
    body = load_smpl_file(small_smpl_path)
    return [
        np.stack(x)
        for x in zip(*(reference_body(body, b, t) for b, t in zip(*bodies, strict=True)),
                     strict=True)
    ]


@pytest.mark.parametrize("mode", ["eager", "function", "xla"])
def test_equals_float64_reference(small, bodies, expected, mode):
    def call(beta, theta):
        return small(beta, theta, get_skin=True)

    if mode != "eager":
        call = tf.function(call, jit_compile=mode == "xla")
    verts, joints, Rs = call(*map(tf.constant, bodies))
    np.testing.assert_allclose(verts, expected[0], atol=2e-6)
    np.testing.assert_allclose(joints, expected[1], atol=2e-6)
    assert Rs.shape == (5, 24, 3, 3)


def test_posed_joints_equal_float64_reference(small, bodies, expected):
    np.testing.assert_allclose(small.pose(*bodies).joints, expected[2], atol=2e-6)


def test_keypoints_without_the_mesh_equal_the_vertex_route(smpl_path, bodies):
    smpl = SMPL(smpl_path)
    regressor = np.asarray(load_smpl_file(smpl_path)["cocoplus_regressor"].todense())
    verts, joints, _ = smpl(*bodies, get_skin=True)
    np.testing.assert_allclose(joints, np.einsum("kv,nvc->nkc", regressor, verts), atol=5e-6)
    np.testing.assert_allclose(smpl.keypoints(*bodies), joints, atol=1e-6)
    np.testing.assert_allclose(smpl(*bodies), joints, atol=1e-6)


def test_keypoint_gradients_equal_the_vertex_route(small, small_smpl_path, bodies):
    regressor = load_smpl_file(small_smpl_path)["cocoplus_regressor"].todense().astype(np.float32)
    beta, theta = map(tf.constant, bodies)
    weights = tf.random.stateless_normal([5, 19, 3], [3, 4])
    gradients = []
    for through_vertices in (False, True):
        with tf.GradientTape() as tape:
            tape.watch((beta, theta))
            body = small.pose(beta, theta)
            points = (
                tf.einsum("kv,nvc->nkc", regressor, small.vertices_of(body))
                if through_vertices
                else small.keypoints_of(body)
            )
            total = tf.reduce_sum(weights * points)
        gradients.append(tape.gradient(total, (beta, theta)))
    for direct, by_mesh in zip(*gradients, strict=True):
        np.testing.assert_allclose(direct, by_mesh, rtol=1e-4, atol=1e-4)


def test_lsp_joints_are_the_first_fourteen(small, small_smpl_path, bodies):
    lsp = SMPL(small_smpl_path, joint_type="lsp")
    np.testing.assert_allclose(lsp(*bodies), small(*bodies)[:, :14], atol=1e-6)


@pytest.mark.parametrize("batch", [0, 1, 3])
def test_any_batch_size(small, batch):
    verts, joints, Rs = small(tf.zeros([batch, 10]), tf.zeros([batch, 72]), get_skin=True)
    assert (verts.shape, joints.shape, Rs.shape) == (
        (batch, 120, 3), (batch, 19, 3), (batch, 24, 3, 3)
    )


def test_faces_index_the_vertices(small):
    assert small.faces.shape[1] == 3 and small.faces.max() < small.v_template.shape[0]


def test_unknown_joint_type_is_refused(small_smpl_path):
    with pytest.raises(ValueError, match="cocoplus, lsp; got 'h36m'"):
        SMPL(small_smpl_path, joint_type="h36m")


def test_survives_a_saved_model(small, bodies, tmp_path):
    module = tf.Module()
    module.smpl = small
    module.serve = tf.function(
        lambda beta, theta: small(beta, theta, get_skin=True)[:2],
        input_signature=[tf.TensorSpec([None, n]) for n in (10, 72)],
    )
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    for got, want in zip(loaded.serve(*bodies), small(*bodies, get_skin=True), strict=False):
        np.testing.assert_allclose(got, want, atol=1e-6)


def test_rigid_transformations_equal_a_joint_by_joint_chain(bodies):
    rng = np.random.default_rng(2)
    parents = [-1, 0, 0, 1, 3, 2]
    Rs = batch_rodrigues(rng.normal(size=(2, 6, 3)).astype(np.float32))
    Js = rng.normal(size=(2, 6, 3)).astype(np.float32)
    joints, transforms = batch_global_rigid_transformation(Rs, Js, parents)
    for n in range(2):
        world = []
        for j, parent in enumerate(parents):
            local = np.eye(4)
            local[:3, :3] = Rs[n, j]
            local[:3, 3] = Js[n, j] - (Js[n, parent] if j else 0)
            world.append(world[parent] @ local if j else local)
            np.testing.assert_allclose(joints[n, j], world[j][:3, 3], atol=1e-5)
            np.testing.assert_allclose(
                transforms[n, j].numpy() @ [*Js[n, j], 1.0], [*world[j][:3, 3], 1.0], atol=1e-5
            )


def test_rotate_base_turns_the_whole_body_upside_down():
    rng = np.random.default_rng(3)
    Rs = tf.eye(3, batch_shape=[1, 3])
    Js = rng.normal(size=(1, 3, 3)).astype(np.float32)
    upright, _ = batch_global_rigid_transformation(Rs, Js, [-1, 0, 1])
    turned, _ = batch_global_rigid_transformation(Rs, Js, [-1, 0, 1], rotate_base=True)
    np.testing.assert_allclose(
        turned - turned[:, :1], (upright - upright[:, :1]) * [1, -1, -1], atol=1e-6
    )


def test_a_joint_before_its_parent_is_refused():
    with pytest.raises(ValueError, match="Joint 1 has parent 2"):
        tree_levels([-1, 2, 0])


def test_KEEP_rodrigues_adds_1e_8_inside_the_norm():
    theta = np.float32([[0.0, 0.0, 0.0], [3e-8, 0.0, 0.0], [1e-4, 2e-4, 0.0], [0.3, -2.0, 1.0]])
    expected = np.stack([reference_rodrigues(t) for t in theta.astype(np.float64)])
    np.testing.assert_allclose(batch_rodrigues(theta), expected, atol=2e-7)
    # At zero the axis is 0/1e-8, not 0/0.
    np.testing.assert_allclose(batch_rodrigues(tf.zeros([1, 3]))[0], np.eye(3), atol=1e-7)


@pytest.mark.parametrize("angle", [0.0, 1e-6, 1e-3, 1.0, np.pi, 2 * np.pi])
def test_rodrigues_gradient_is_finite_and_right(angle):
    theta = tf.constant([[angle, 0.0, 0.0]], tf.float64)
    exact, numeric = tf.test.compute_gradient(batch_rodrigues, [theta], delta=1e-5)
    # Within 1e-5 of zero the finite difference itself steps over the 1e-8 of the norm.
    np.testing.assert_allclose(exact[0], numeric[0], atol=2e-3 if angle < 1e-5 else 1e-6)
    assert np.isfinite(exact[0]).all()
