"""The body in float64, slowly: one vertex and one joint after the other."""

import numpy as np


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
