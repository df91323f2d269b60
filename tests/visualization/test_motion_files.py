"""BVH and GLB files: read back by other means, they put every bone where SMPL has it."""

import json
import struct

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from hmr_tf2.smpl.kinematics import global_transforms
from hmr_tf2.smpl.rig import load_rig
from hmr_tf2.visualization import bvh, gltf, mesh_files, motion
from tfrecords_tools import joints as joint_orders

FPS, STEPS = 25.0, 7
TO_Y_UP = np.array([1.0, -1.0, -1.0])


@pytest.fixture(scope="module")
def rig(small_smpl_path):
    return load_rig(str(small_smpl_path))


@pytest.fixture(scope="module")
def moving(rig):
    """A motion, and where SMPL has joints [T, 24, 3] and bones [T, 24, 3, 3], y up."""
    rng = np.random.default_rng(3)
    turns = Rotation.from_rotvec(rng.normal(0, 1, (STEPS * 24, 3))).as_matrix()
    turns = turns.reshape(STEPS, 24, 3, 3)
    translations = rng.normal(0, 1, (STEPS, 3)) + [0, 0, 5]
    vertices, joints = (x.astype(np.float64) for x in rig.shaped(rng.normal(size=10)))
    moves = motion.motion_of(np.arange(STEPS) / FPS, turns, translations, joints, vertices)
    bones, places = global_transforms(turns, np.tile(joints, (STEPS, 1, 1)), rig.parents.tolist())
    flip = np.diag(TO_Y_UP)
    return (
        moves,
        TO_Y_UP * (np.asarray(places) + translations[:, np.newaxis]),
        flip @ np.asarray(bones),
    )


def read_bvh(path):
    """Names, world rotations [T, J, 3, 3] and places [T, J, 3] of a BVH file's joints."""
    words = path.read_text().split()
    names, parents, offsets, channels, stack = [], [], [], [], []
    k = 0
    while words[k] != "MOTION":
        if words[k] in ("ROOT", "JOINT"):
            names.append(words[k + 1])
            parents.append(stack[-1] if stack else -1)
            k += 1
        elif words[k] == "{":
            stack.append(len(names) - 1)
        elif words[k] == "}":
            stack.pop()
        elif words[k] == "End":
            k = words.index("}", k)
        elif words[k] == "OFFSET":
            offsets.append([float(w) for w in words[k + 1 : k + 4]])
        elif words[k] == "CHANNELS":
            count = int(words[k + 1])
            channels.append(words[k + 2 : k + 2 + count])
        k += 1
    num_frames, frame_time = int(words[k + 2]), float(words[k + 5])
    rows = np.array(words[k + 6 :], float).reshape(num_frames, sum(map(len, channels)))
    turns = np.zeros((num_frames, len(names), 3, 3))
    places = np.zeros((num_frames, len(names), 3))
    for t, row in enumerate(rows):
        at = 0
        for j, names_of_channels in enumerate(channels):
            turn, place = np.eye(3), np.array(offsets[j])
            for channel in names_of_channels:
                axis = "XYZ".index(channel[0])
                if channel.endswith("position"):
                    place[axis] += row[at]
                else:
                    vector = np.zeros(3)
                    vector[axis] = np.radians(row[at])
                    turn = turn @ Rotation.from_rotvec(vector).as_matrix()
                at += 1
            p = parents[j]
            turns[t, j] = turn if p < 0 else turns[t, p] @ turn
            places[t, j] = place if p < 0 else places[t, p] + turns[t, p] @ place
    return names, frame_time, turns, places


def test_a_bvh_file_puts_every_joint_where_smpl_has_it(rig, moving, tmp_path):
    moves, expected, bones = moving
    bvh.write_bvh(tmp_path / "a.bvh", moves, rig.parents, FPS)
    names, frame_time, turns, places = read_bvh(tmp_path / "a.bvh")
    order = joint_orders.SMPL.indices(names)
    assert sorted(order) == list(range(24)) and frame_time == pytest.approx(1 / FPS)
    np.testing.assert_allclose(places / 100, expected[:, order], atol=1e-5)
    np.testing.assert_allclose(turns, bones[:, order], atol=1e-5)


def test_angles_of_a_bvh_file_go_on_where_they_used_to_jump(rig, tmp_path):
    """A turn and a half of the whole body, and of a limb about the axis that flipped all three."""
    angles = np.radians(np.arange(0, 541, 9))
    turns = np.tile(np.eye(3), (len(angles), 24, 1, 1))
    for joint, axis in ((0, [0, 1, 0]), (4, [1, 0, 0]), (16, [0, 0, 1])):
        turns[:, joint] = Rotation.from_rotvec(np.outer(angles, axis)).as_matrix()
    vertices, joints = rig.shaped(np.zeros(10))
    moves = motion.motion_of(np.arange(61) / FPS, turns, np.zeros((61, 3)), joints, vertices)
    bvh.write_bvh(tmp_path / "a.bvh", moves, rig.parents, FPS)
    _, _, got, _ = read_bvh(tmp_path / "a.bvh")
    np.testing.assert_allclose(got[:, 0], np.diag(TO_Y_UP) @ turns[:, 0], atol=1e-5)
    text = (tmp_path / "a.bvh").read_text()
    lines = text.splitlines()
    rows = np.array([line.split() for line in lines[lines.index("MOTION") + 3 :]], float)
    assert np.abs(np.diff(rows, axis=0)).max() < 9.001
    assert (np.ptp(rows, axis=0) > 539.99).sum() == 3
    assert "-0.00000" not in text


def test_frames_that_a_video_left_out_are_filled_in_a_bvh_file(rig, moving, tmp_path):
    """A BVH file has a rate and no times; a GLB file has them and keeps them."""
    moves, expected, _ = moving
    kept = [0, 1, 2, 5, 6]
    gappy = moves._replace(
        times=moves.times[kept], rotations=moves.rotations[kept], root=moves.root[kept]
    )
    bvh.write_bvh(tmp_path / "a.bvh", gappy, rig.parents, FPS)
    names, _, _, places = read_bvh(tmp_path / "a.bvh")
    order = joint_orders.SMPL.indices(names)
    assert len(places) == STEPS
    np.testing.assert_allclose(places[kept] / 100, expected[kept][:, order], atol=1e-5)
    np.testing.assert_allclose(places[3, 0], (2 * places[2, 0] + places[5, 0]) / 3, atol=1e-3)
    gltf.write_motion(tmp_path / "a.glb", gappy, rig, (640, 480), 900.0)
    glb = Glb(tmp_path / "a.glb")
    times = glb.array(glb.document["animations"][0]["samplers"][0]["input"])[:, 0]
    np.testing.assert_allclose(times, gappy.times, atol=1e-6)


def test_times_of_a_glb_rise(rig, moving, tmp_path):
    """As glTF requires; of moments with one time the last counts."""
    moves, places, _ = moving
    moves = moves._replace(times=np.array([0, 1, 1, 1, 1 + 1e-9, 2, 2]))
    gltf.write_motion(tmp_path / "a.glb", moves, rig, (640, 480), 900.0)
    glb = Glb(tmp_path / "a.glb")
    samplers = glb.document["animations"][0]["samplers"]
    assert glb.array(samplers[0]["input"])[:, 0].tolist() == [0, 1, 2]
    assert {len(glb.array(sampler["output"])) for sampler in samplers} == {3}
    np.testing.assert_allclose(glb.array(samplers[0]["output"]), places[[0, 4, 6], 0], atol=1e-5)


def test_one_moment_is_a_motion(rig, moving, tmp_path):
    moves, places, _ = moving
    one = moves._replace(times=moves.times[:1], rotations=moves.rotations[:1], root=moves.root[:1])
    bvh.write_bvh(tmp_path / "a.bvh", one, rig.parents, FPS)
    names, _, _, got = read_bvh(tmp_path / "a.bvh")
    np.testing.assert_allclose(got / 100, places[:1, joint_orders.SMPL.indices(names)], atol=1e-5)
    gltf.write_motion(tmp_path / "a.glb", one, rig, (640, 480), 900.0)
    world = node_matrices(Glb(tmp_path / "a.glb"), 0)
    np.testing.assert_allclose(world[:24, :3, 3], places[0], atol=1e-5)


def test_a_motion_with_numbers_that_are_not_finite_is_not_written(rig, moving, tmp_path):
    moves, _, _ = moving
    bad = moves.rotations.copy()
    bad[3, 7, 1, 1] = np.nan
    moves = moves._replace(rotations=bad)
    with pytest.raises(ValueError, match="a.bvh: the motion has numbers that are not finite"):
        bvh.write_bvh(tmp_path / "a.bvh", moves, rig.parents, FPS)
    with pytest.raises(ValueError, match="a.glb: the motion has numbers that are not finite"):
        gltf.write_motion(tmp_path / "a.glb", moves, rig, (640, 480), 900.0)
    assert list(tmp_path.iterdir()) == []


class Glb:
    """A GLB file by the letter of the specification."""

    def __init__(self, path):
        content = path.read_bytes()
        magic, version, length = struct.unpack_from("<4sII", content)
        assert (magic, version, length) == (b"glTF", 2, len(content))
        chunks, at = {}, 12
        while at < length:
            size, kind = struct.unpack_from("<I4s", content, at)
            assert size % 4 == 0
            chunks[kind] = content[at + 8 : at + 8 + size]
            at += 8 + size
        self.document = json.loads(chunks[b"JSON"])
        self.binary = chunks[b"BIN\0"]
        assert self.document["buffers"][0]["byteLength"] == len(self.binary)

    def array(self, number):
        accessor = self.document["accessors"][number]
        view = self.document["bufferViews"][accessor["bufferView"]]
        kind = np.dtype({5126: "<f4", 5125: "<u4", 5123: "<u2"}[accessor["componentType"]])
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}[accessor["type"]]
        assert view["byteOffset"] % 4 == 0
        assert view["byteLength"] == accessor["count"] * width * kind.itemsize
        values = np.frombuffer(self.binary, kind, accessor["count"] * width, view["byteOffset"])
        values = values.reshape(accessor["count"], width)
        if "min" in accessor:
            np.testing.assert_allclose(values.min(0), accessor["min"])
            np.testing.assert_allclose(values.max(0), accessor["max"])
        return values

    @property
    def attributes(self):
        return self.document["meshes"][0]["primitives"][0]["attributes"]


def node_matrices(glb, step):
    """World matrices [N, 4, 4] of the nodes at a sample of the animation."""
    nodes = glb.document["nodes"]
    state = [
        {"translation": n.get("translation", [0, 0, 0]), "rotation": [0, 0, 0, 1]} for n in nodes
    ]
    (animation,) = glb.document["animations"]
    for channel in animation["channels"]:
        sampler = animation["samplers"][channel["sampler"]]
        target = channel["target"]
        state[target["node"]][target["path"]] = glb.array(sampler["output"])[step]
    world = np.tile(np.eye(4), (len(nodes), 1, 1))

    def visit(number, parent):
        local = np.eye(4)
        local[:3, :3] = Rotation.from_quat(state[number]["rotation"]).as_matrix()
        local[:3, 3] = state[number]["translation"]
        world[number] = parent @ local
        for child in nodes[number].get("children", []):
            visit(child, world[number])

    for root in glb.document["scenes"][0]["nodes"]:
        visit(root, np.eye(4))
    return world


def test_an_animated_glb_skins_the_mesh_as_smpl_does(rig, moving, tmp_path):
    """Four bones a vertex and no corrective shapes, which glTF does not know."""
    moves, places, bones = moving
    gltf.write_motion(tmp_path / "a.glb", moves, rig, (640, 480), 900.0)
    glb = Glb(tmp_path / "a.glb")
    skin = glb.document["skins"][0]
    unbind = glb.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
    rest = np.column_stack([glb.array(glb.attributes["POSITION"]), np.ones(len(rig.vertices))])
    which, share = (glb.array(glb.attributes[k]) for k in ("JOINTS_0", "WEIGHTS_0"))
    np.testing.assert_allclose(share.sum(axis=1), 1, atol=1e-6)
    strongest = np.where(rig.weights >= np.sort(rig.weights)[:, -4:-3], rig.weights, 0)
    strongest /= strongest.sum(axis=1, keepdims=True)
    times = glb.array(glb.document["animations"][0]["samplers"][0]["input"])[:, 0]
    np.testing.assert_allclose(times, np.arange(STEPS) / FPS, atol=1e-6)
    for step in range(STEPS):
        world = node_matrices(glb, step)[skin["joints"]]
        np.testing.assert_allclose(world[:, :3, 3], places[step], atol=1e-5)
        skinned = np.einsum("vk,vkij,vj->vi", share, (world @ unbind)[which], rest)[:, :3]
        moved = (
            np.einsum("jab,vjb->vja", bones[step], moves.vertices[:, np.newaxis] - moves.joints)
            + places[step]
        )
        np.testing.assert_allclose(skinned, np.einsum("vj,vja->va", strongest, moved), atol=1e-5)


def test_quaternions_take_the_short_way(rig, tmp_path):
    angles = np.linspace(0, 4 * np.pi, 60)
    turns = np.tile(np.eye(3), (60, 24, 1, 1))
    turns[:, 5] = Rotation.from_rotvec(np.outer(angles, [0, 1, 0])).as_matrix()
    vertices, joints = rig.shaped(np.zeros(10))
    moves = motion.motion_of(angles, turns, np.zeros((60, 3)), joints, vertices)
    gltf.write_motion(tmp_path / "a.glb", moves, rig, (640, 480), 900.0)
    glb = Glb(tmp_path / "a.glb")
    for sampler in glb.document["animations"][0]["samplers"][1:]:
        values = glb.array(sampler["output"])
        assert ((values[1:] * values[:-1]).sum(axis=1) > 0).all()


@pytest.fixture(scope="module")
def body(rig):
    vertices, _ = rig.shaped(np.zeros(10))
    return vertices * TO_Y_UP, rig.faces, np.array([0.3, -0.2, 6.0])


def test_another_reader_finds_the_mesh_of_a_glb_in_its_place(body, tmp_path):
    vertices, faces, translation = body
    gltf.write_body(tmp_path / "a.glb", vertices, faces, translation, (640, 480), 900.0)
    scene = trimesh.load(tmp_path / "a.glb", process=False)
    mesh = scene.to_geometry() if hasattr(scene, "to_geometry") else scene.dump(concatenate=True)
    np.testing.assert_allclose(mesh.vertices, TO_Y_UP * (vertices + translation), atol=1e-5)
    np.testing.assert_array_equal(mesh.faces, faces)


def test_the_camera_of_a_glb_sees_the_picture(body, tmp_path):
    """glTF: x_ndc = x / (aspect tan(yfov / 2) -z), y_ndc = y / (tan(yfov / 2) -z)."""
    vertices, faces, translation = body
    gltf.write_body(tmp_path / "a.glb", vertices, faces, translation, (640, 480), 900.0)
    camera = Glb(tmp_path / "a.glb").document["cameras"][0]["perspective"]
    moved = vertices + translation
    x, y, z = (TO_Y_UP * moved).T
    slope = np.tan(camera["yfov"] / 2)
    column = 320 + 320 * x / (camera["aspectRatio"] * slope * -z)
    row = 240 - 240 * y / (slope * -z)
    expected = 900 * moved[:, :2] / moved[:, 2:] + [320, 240]
    np.testing.assert_allclose(np.column_stack([column, row]), expected, atol=1e-4)


def test_normals_have_unit_length_also_where_no_face_is(tmp_path):
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [9, 9, 9]], float)
    gltf.write_body(tmp_path / "a.glb", vertices, [[0, 1, 2]], np.zeros(3), (4, 3), 9.0)
    glb = Glb(tmp_path / "a.glb")
    normals = glb.array(glb.attributes["NORMAL"])
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-6)


def test_numbers_that_are_not_finite_are_not_written(body, tmp_path):
    vertices, faces, _ = body
    with pytest.raises(ValueError):
        gltf.write_body(tmp_path / "a.glb", vertices, faces, np.full(3, np.nan), (4, 3), 9.0)
    assert list(tmp_path.iterdir()) == []


def test_another_reader_finds_the_mesh_of_an_obj(body, tmp_path):
    vertices, faces, _ = body
    mesh_files.write_obj(tmp_path / "a.obj", vertices, faces)
    mesh = trimesh.load(tmp_path / "a.obj", process=False)
    np.testing.assert_allclose(mesh.vertices, TO_Y_UP * vertices, atol=1e-5)
    np.testing.assert_array_equal(mesh.faces, faces)
    assert [p.name for p in tmp_path.iterdir()] == ["a.obj"]
