"""The shape of the stand-in body: solids for the left half (x >= 0), modelled by eye.

Lengths are in metres; the joints of `skeleton` lie inside. Nothing here comes from a scan.
"""

import numpy as np

from hmr_tf2.standin.implicit import Solid, ellipsoid, round_cone, sweep

SOLE = -0.943
COARSE = 0.0235


def trunk() -> list[Solid]:
    """Hips, belly, chest, glutes, and the slope from neck to shoulder."""
    rows = np.array(
        [
            (-0.135, 0.045, 0.040, 0.050),
            (-0.10, 0.120, 0.074, 0.090),
            (-0.04, 0.160, 0.092, 0.104),
            (0.03, 0.160, 0.098, 0.094),
            (0.12, 0.138, 0.096, 0.080),
            (0.17, 0.135, 0.096, 0.080),
            (0.25, 0.146, 0.102, 0.096),
            (0.33, 0.160, 0.106, 0.118),
            (0.39, 0.164, 0.098, 0.126),
            (0.44, 0.145, 0.072, 0.115),
            (0.475, 0.095, 0.045, 0.090),
            (0.50, 0.055, 0.030, 0.075),
        ]
    )
    y0, y1 = rows[0, 0], rows[-1, 0]
    stations = np.column_stack([(rows[:, 0] - y0) / (y1 - y0), rows[:, 1:]])
    return [
        sweep((0, y0, 0), (0, y1, 0), (1, 0, 0), stations, 0.03, power=2.15),
        ellipsoid((0.077, -0.075, -0.052), (0.072, 0.080, 0.068), 0.06),  # glute
        ellipsoid((0.080, 0.350, 0.055), (0.075, 0.050, 0.044), 0.06),  # chest muscle
        round_cone((0.02, 0.545, -0.04), (0.155, 0.462, -0.042), 0.038, 0.04, 0.06),  # trapezius
    ]


def arm() -> list[Solid]:
    """Shoulder to wrist; palms face down, so half-widths are (y, z front, z back)."""
    shoulder, elbow, wrist = (0.165, 0.44, -0.03), (0.435, 0.44, -0.045), (0.69, 0.44, -0.045)
    upper = [
        (0, 0.056, 0.052, 0.054),
        (0.25, 0.053, 0.050, 0.052),
        (0.5, 0.046, 0.047, 0.047),
        (0.8, 0.039, 0.038, 0.041),
        (1, 0.036, 0.038, 0.040),
    ]
    lower = [
        (0, 0.036, 0.039, 0.040),
        (0.2, 0.039, 0.043, 0.041),
        (0.5, 0.034, 0.038, 0.036),
        (0.85, 0.024, 0.029, 0.028),
        (1, 0.021, 0.029, 0.028),
    ]
    return [
        ellipsoid((0.185, 0.447, -0.032), (0.062, 0.056, 0.060), 0.06),
        sweep(shoulder, elbow, (0, 1, 0), _swap_front(upper), 0.045),
        sweep(elbow, wrist, (0, 1, 0), _swap_front(lower), 0.03),
    ]


def hand() -> list[Solid]:
    """A flat palm, four spread fingers and a thumb to the front."""
    palm = [
        (0, 0.019, 0.029, 0.028),
        (0.3, 0.017, 0.034, 0.032),
        (0.7, 0.015, 0.041, 0.040),
        (1, 0.0125, 0.040, 0.040),
    ]
    solids = [
        sweep((0.69, 0.44, -0.045), (0.775, 0.436, -0.043), (0, 1, 0), _swap_front(palm), 0.02),
        ellipsoid((0.73, 0.427, -0.022), (0.030, 0.013, 0.018), 0.02),  # ball of the thumb
    ]
    fingers = (
        (-0.011, 0.001, 0.070),
        (-0.033, -0.030, 0.080),
        (-0.055, -0.060, 0.073),
        (-0.075, -0.088, 0.056),
    )
    for base_z, tip_z, length in fingers:
        tip = (0.778 + length, 0.430, tip_z)
        solids.append(round_cone((0.772, 0.436, base_z), tip, 0.0105, 0.0078, 0.007))
    knuckle = (0.772, 0.424, 0.018)
    solids.append(round_cone((0.722, 0.430, -0.022), knuckle, 0.0145, 0.0115, 0.014))
    solids.append(round_cone(knuckle, (0.802, 0.423, 0.027), 0.0112, 0.0085, 0.006))
    return solids


def leg() -> list[Solid]:
    """Hip to ankle, with knee-cap and calf."""
    hip, knee, ankle = (0.094, -0.06, 0.0), (0.102, -0.475, 0.0), (0.095, -0.88, -0.035)
    thigh = [
        (0, 0.074, 0.074, 0.080),
        (0.1, 0.080, 0.080, 0.086),
        (0.2, 0.081, 0.082, 0.085),
        (0.45, 0.074, 0.077, 0.075),
        (0.7, 0.061, 0.064, 0.060),
        (1, 0.051, 0.052, 0.051),
    ]
    shank = [
        (0, 0.050, 0.050, 0.049),
        (0.12, 0.048, 0.047, 0.054),
        (0.3, 0.053, 0.043, 0.066),
        (0.55, 0.043, 0.038, 0.053),
        (0.8, 0.033, 0.034, 0.040),
        (0.93, 0.032, 0.035, 0.040),
        (1, 0.033, 0.038, 0.041),
    ]
    return [
        sweep(hip, knee, (1, 0, 0), _swap_front(thigh), 0.085),
        sweep(knee, ankle, (1, 0, 0), _swap_front(shank), 0.02),
        ellipsoid((0.102, -0.468, 0.036), (0.030, 0.036, 0.022), 0.03),
    ]


def foot() -> list[Solid]:
    """Heel, arch and five toes; the sole is cut flat."""
    middle = [
        (0, 0.035, 0.056, 0.03),
        (0.35, 0.037, 0.050, 0.03),
        (0.7, 0.043, 0.030, 0.03),
        (1, 0.045, 0.019, 0.03),
    ]
    solids = [
        ellipsoid((0.094, -0.910, -0.058), (0.034, 0.046, 0.038), 0.05),
        sweep(
            (0.095, -0.915, -0.04), (0.112, -0.922, 0.115), (1, 0, 0), _swap_front(middle), 0.05
        ),
        ellipsoid((0.070, -0.88, -0.03), (0.012, 0.014, 0.014), 0.02),  # ankle bones
        ellipsoid((0.124, -0.887, -0.04), (0.012, 0.014, 0.014), 0.02),
    ]
    toes = (
        (0.085, 0.150, 0.0165),
        (0.107, 0.148, 0.0115),
        (0.123, 0.141, 0.0110),
        (0.138, 0.131, 0.0105),
        (0.152, 0.118, 0.0100),
    )
    for x, z, r in toes:
        solids.append(ellipsoid((x, SOLE + 0.9 * r + 0.002, z), (r, r, 1.9 * r), 0.006))
    below = np.array([[0, SOLE - 0.1, -0.2], [0.3, SOLE + 0.02, 0.3]])
    return [*solids, Solid(lambda p: p[:, 1] - SOLE, below, 0.012, cut=True)]


def head() -> list[Solid]:
    """Neck, skull, jaw and a face."""
    neck = [(0, 0.062, 0.058, 0.056), (0.5, 0.054, 0.054, 0.052), (1, 0.052, 0.052, 0.052)]
    return [
        sweep((0, 0.465, -0.042), (0, 0.625, -0.008), (1, 0, 0), neck, 0.05),
        ellipsoid((0, 0.690, -0.008), (0.075, 0.095, 0.098), 0.03),
        ellipsoid((0, 0.640, 0.030), (0.060, 0.075, 0.062), 0.03),
        round_cone((0.050, 0.622, 0.010), (0.016, 0.582, 0.066), 0.016, 0.017, 0.03),  # jaw
        ellipsoid((0, 0.579, 0.078), (0.021, 0.016, 0.016), 0.02),  # chin
        ellipsoid((0.045, 0.650, 0.060), (0.020, 0.017, 0.020), 0.025),  # cheek bone
        ellipsoid((0.024, 0.697, 0.080), (0.030, 0.009, 0.012), 0.018),  # brow
        ellipsoid((0.032, 0.679, 0.100), (0.018, 0.012, 0.014), 0.014, cut=True),  # eye socket
        ellipsoid((0.032, 0.679, 0.079), (0.014, 0.012, 0.0115), 0.003),  # eye
        round_cone((0, 0.690, 0.086), (0, 0.650, 0.110), 0.008, 0.0115, 0.014),  # nose
        ellipsoid((0.012, 0.645, 0.099), (0.008, 0.007, 0.010), 0.006),  # nostril
        ellipsoid((0.008, 0.616, 0.092), (0.018, 0.006, 0.009), 0.008),  # lips
        ellipsoid((0.006, 0.603, 0.089), (0.016, 0.007, 0.010), 0.008),
        round_cone((0, 0.6095, 0.102), (0.020, 0.6105, 0.096), 0.002, 0.001, 0.004, cut=True),
        ellipsoid((0.077, 0.666, -0.006), (0.008, 0.030, 0.018), 0.006, -12, -12),  # ear
        ellipsoid((0.086, 0.667, -0.002), (0.005, 0.018, 0.009), 0.005, -12, -12, cut=True),
    ]


def left_half() -> list[Solid]:
    """All solids, in the order in which they melt together."""
    return [*trunk(), *head(), *leg(), *foot(), *arm(), *hand()]


def edge_length(points: np.ndarray) -> np.ndarray:
    """float64 [N]: the wanted mesh edge (m): fine at face, ears, hands and toes."""
    x, y, z = points.T
    size = np.full(len(points), COARSE)

    def finer(length, closeness):
        np.minimum(size, length + (COARSE - length) * np.clip(closeness, 0, 1), out=size)

    finer(0.0125, (0.60 - y) / 0.12)
    face = np.linalg.norm((points - [0.0, 0.64, 0.10]) / [1, 1.2, 1], axis=1)
    finer(0.0062, (face - 0.055) / 0.12)
    finer(0.0068, (np.linalg.norm(points - [0.08, 0.666, -0.005], axis=1) - 0.03) / 0.10)
    finer(0.0078, (0.74 - x) / 0.10)
    finer(0.0095, (np.linalg.norm(points - [0.11, -0.935, 0.14], axis=1) - 0.05) / 0.12)
    finer(0.015, (y + 0.86) / 0.12)
    return size


def _swap_front(stations):
    """Rows of (t, width, front, back) for a sweep whose side x axis points to the back."""
    return [(t, width, back, front) for t, width, front, back in stations]
