"""Human3.6M: subjects, cameras, actions, and which recording is which action and trial."""

import pathlib
import xml.etree.ElementTree
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfrecords_tools.plan import ConversionError

TRAIN_SUBJECTS = (1, 5, 6, 7, 8)
TEST_SUBJECTS = (9, 11)
CAMERA_IDS = ("54138969", "55011271", "58860488", "60457274")
TRIALS = (0, 1)

# The names that the original's evaluation uses; the spelling "WakingDog" is the original's.
ACTIONS = (
    "Directions Discussion Eating Greeting Phoning Posing Purchases Sitting SittingDown Smoking "
    "TakingPhoto Waiting Walking WakingDog WalkTogether"
).split()

# (subject, action, trial, camera) of videos that are damaged on the official site.
CORRUPT = {(11, "Directions", 1, 0)}

# The name of each trial's recording, and the subjects for whom it is a different one. Trial 0 is
# subaction 1 of metadata.xml. The table is taken from that file, for a download without it.
_NAMES: Mapping[str, tuple[tuple[str, dict[int, str]], tuple[str, dict[int, str]]]] = {
    "Directions": (("Directions 1", {}), ("Directions", {5: "Directions 2"})),
    "Discussion": (
        ("Discussion 1", {5: "Discussion 2"}),
        ("Discussion", {5: "Discussion 3", 9: "Discussion 2", 11: "Discussion 2"}),
    ),
    "Eating": (("Eating 1", {1: "Eating 2"}), ("Eating", {6: "Eating 2"})),
    "Greeting": (("Greeting 1", {11: "Greeting 2"}), ("Greeting", {5: "Greeting 2"})),
    "Phoning": (
        ("Phoning 1", {7: "Phoning 2", 11: "Phoning 3"}),
        ("Phoning", {11: "Phoning 2"}),
    ),
    "Posing": (("Posing 1", {6: "Posing 2"}), ("Posing", {})),
    "Purchases": (("Purchases 1", {}), ("Purchases", {})),
    "Sitting": (("Sitting 1", {}), ("Sitting", {1: "Sitting 2", 6: "Sitting 2"})),
    "SittingDown": (
        ("SittingDown", {1: "SittingDown 2", 6: "SittingDown 1"}),
        ("SittingDown 1", {1: "SittingDown", 6: "SittingDown"}),
    ),
    "Smoking": (("Smoking 1", {11: "Smoking 2"}), ("Smoking", {})),
    "TakingPhoto": (
        ("Photo 1", {1: "TakingPhoto 1", 5: "Photo", 6: "Photo", 7: "Photo"}),
        ("Photo", {1: "TakingPhoto", 5: "Photo 2", 6: "Photo 1", 7: "Photo 1"}),
    ),
    "Waiting": (("Waiting 1", {6: "Waiting 3"}), ("Waiting", {5: "Waiting 2", 7: "Waiting 2"})),
    "Walking": (("Walking 1", {}), ("Walking", {7: "Walking 2"})),
    "WakingDog": (("WalkDog 1", {1: "WalkingDog 1"}), ("WalkDog", {1: "WalkingDog"})),
    "WalkTogether": (("WalkTogether 1", {}), ("WalkTogether", {8: "WalkTogether 2"})),
}

# fx, fy, cx, cy in pixels, for a download without metadata.xml; the same for every subject.
_INTRINSICS = (
    (1145.0494384765625, 1143.7811279296875, 512.54150390625, 515.4514770507812),
    (1149.6756591796875, 1147.5916748046875, 508.8486328125, 508.0649108886719),
    (1149.1407470703125, 1148.7989501953125, 519.8158569335938, 501.40264892578125),
    (1145.5113525390625, 1144.77392578125, 514.9682006835938, 501.88201904296875),
)

# <w0> holds 3 rotations and 3 translations for each of 11 subjects and each camera, and then the
# intrinsics of each camera: fx, fy, cx, cy and five coefficients of the lens distortion.
_NUM_EXTRINSICS = len(CAMERA_IDS) * 11 * 6
_NUM_INTRINSICS = 9

SequenceNames = dict[tuple[int, str, int], str]


def read(root: pathlib.Path) -> tuple[SequenceNames, list[np.ndarray]]:
    """Recording names and cameras, from metadata.xml or, without it, from the tables here.

    Returns:
        (subject, action, trial) -> name of the recording; and for each camera [3]: focal length
        and principal point in pixels.
    """
    path = _metadata_file(root)
    if path is None:
        return default_names(), [_camera(values) for values in _INTRINSICS]
    try:
        tree = xml.etree.ElementTree.parse(path).getroot()
        return _names(tree), _cameras(tree)
    except (
        xml.etree.ElementTree.ParseError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
    ) as error:
        raise ConversionError(
            f"{path} is not the metadata file of Human3.6M ({error}). Replace it, or remove it: "
            "without it the names and cameras of the official release are used."
        ) from error


def _metadata_file(root: pathlib.Path) -> pathlib.Path | None:
    """The file, also where the archive of the site's code was unpacked with its own folders."""
    patterns = ("metadata.xml", "*/metadata.xml", "*/*/metadata.xml")
    found = (path for pattern in patterns for path in sorted(root.glob(pattern)))
    return next((path for path in found if path.is_file()), None)


def default_names() -> SequenceNames:
    """The names of the official release."""
    return {
        (subject, action, trial): _NAMES[action][trial][1].get(subject, _NAMES[action][trial][0])
        for subject in (*TRAIN_SUBJECTS, *TEST_SUBJECTS)
        for action in ACTIONS
        for trial in TRIALS
    }


def _names(tree: Any) -> SequenceNames:
    rows = [[(cell.text or "").strip() for cell in row] for row in tree.find("mapping")]
    header = rows[0]
    names = {}
    for row in rows[1:]:
        # Action 1 stands for all actions; a row without numbers holds no recordings.
        if not (row[0].isdigit() and row[1].isdigit() and 2 <= int(row[0]) < 2 + len(ACTIONS)):
            continue
        for subject in (*TRAIN_SUBJECTS, *TEST_SUBJECTS):
            label = f"S{subject}"
            name = row[header.index(label) if label in header else subject + 1]
            if name:
                names[subject, ACTIONS[int(row[0]) - 2], int(row[1]) - 1] = name
    return names


def _cameras(tree: Any) -> list[np.ndarray]:
    values = np.array(tree.find("w0").text.strip().strip("[]").split(), np.float64)
    expected = _NUM_EXTRINSICS + len(CAMERA_IDS) * _NUM_INTRINSICS
    if len(values) != expected:
        raise ValueError(f"<w0> holds {len(values)} numbers, expected {expected}")
    return [_camera(row) for row in values[_NUM_EXTRINSICS:].reshape(-1, _NUM_INTRINSICS)]


def _camera(intrinsics: Sequence[float] | np.ndarray) -> np.ndarray:
    fx, fy, cx, cy = intrinsics[:4]
    # A record has room for one focal length, and the two differ by 0.2 % at most.
    return np.array([0.5 * (fx + fy), cx, cy])
