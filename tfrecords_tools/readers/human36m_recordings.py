"""The recordings of Human3.6M that are there, and the files of each."""

import dataclasses
import pathlib

import numpy as np
from absl import logging

from tfrecords_tools.plan import ConversionError, existing_folder
from tfrecords_tools.readers import human36m_files, human36m_names

# The states that `find_recordings` tells apart; the last two are skip reasons in the manifest.
FOUND = "recording found"
MISSING = "recording not there"
CORRUPT = "recording damaged at the source"

# How many of a subject's missing files are named.
FILES_TOLD = 3


@dataclasses.dataclass(frozen=True)
class Recording:
    """One action of one subject seen by one camera.

    Attributes:
        name: beginning of the file names in the official archives, such as `Directions 1`.
        extracted: folder of extracted frames below the data set's folder; None in the archives.
        camera_values: [3] focal length and principal point x, y in pixels.
        files: its files below the data set's folder, as they are or, if missing, as expected.
    """

    subject: int
    action: str
    trial: int
    camera: int
    name: str
    extracted: str | None
    camera_values: np.ndarray
    files: tuple[str, ...]

    @property
    def label(self) -> str:
        return f"S{self.subject}_{self.action}_{self.trial}_cam{self.camera}"


def find_recordings(root: pathlib.Path) -> dict[str, list[Recording]]:
    """The recordings that are FOUND, MISSING and CORRUPT; a partial download is accepted."""
    names, cameras = human36m_names.read(root)
    index = human36m_files.index(root)
    by_state: dict[str, list[Recording]] = {FOUND: [], MISSING: [], CORRUPT: []}
    for (subject, action, trial), name in sorted(names.items()):
        for camera, values in enumerate(cameras):
            extracted = index.extracted(subject, action, trial, camera)
            if extracted is not None:
                found = [index.poses_of(extracted)]
                expected = [f"{extracted}/gt_poses.pkl"]
            else:
                stem = f"{name}.{human36m_names.CAMERA_IDS[camera]}"
                found = [index.find(subject, kind, stem) for kind in human36m_files.KINDS]
                expected = [
                    human36m_files.expected(subject, kind, stem) for kind in human36m_files.KINDS
                ]
            files = tuple(f or e for f, e in zip(found, expected, strict=True))
            recording = Recording(subject, action, trial, camera, name, extracted, values, files)
            if (subject, action, trial, camera) in human36m_names.CORRUPT:
                logging.warning("h36m: %s is left out: %s", recording.label, CORRUPT)
                by_state[CORRUPT].append(recording)
            elif all(found):
                by_state[FOUND].append(recording)
            else:
                by_state[MISSING].append(recording)
    if index.ambiguous:
        logging.warning(
            "h36m: left out, because it is not clear which file is meant: %s",
            index.ambiguous_in_words(),
        )
    if not by_state[FOUND]:
        raise ConversionError(
            f"{root} holds no recording of Human3.6M: expected S1/Videos/Directions 1."
            "54138969.mp4 and so on, with S1/MyPoseFeatures/D2_Positions and D3_Positions_mono; "
            "or S1/Directions_0/cam_0/gt_poses.pkl with extracted frames. "
            f"Present: {index.in_words()}."
        )
    _log_missing(root, by_state)
    if by_state[MISSING] and index.unknown:
        logging.warning("h36m: present in %s: %s", root, index.in_words())
    return by_state


def _log_missing(root: pathlib.Path, by_state: dict[str, list[Recording]]) -> None:
    missing = by_state[MISSING]
    if not missing:
        return
    for subject in sorted({recording.subject for recording in missing}):
        absent = [
            [file for file in recording.files if not (root / file).is_file()]
            for recording in missing if recording.subject == subject
        ]  # fmt: skip
        # A recording that is only partly there is the likelier mistake, so it is named first.
        absent.sort(key=len)
        first = ", ".join(files[0] for files in absent[:FILES_TOLD])
        more = f" and {len(absent) - FILES_TOLD} more" if len(absent) > FILES_TOLD else ""
        logging.warning("h36m: missing files: %s%s", first, more)
    logging.warning(
        "h36m: %d of %d recordings are left out; each needs its video, D2_Positions and "
        "D3_Positions_mono, as docs/data.md says.", len(missing), sum(map(len, by_state.values())),
    )  # fmt: skip


def files_of(root: pathlib.Path, recording: Recording) -> list[pathlib.Path]:
    """The video and the two files of poses; of extracted frames the file of poses."""
    return [root / file for file in recording.files]


def mosh_root(folder: str | None) -> pathlib.Path | None:
    if not folder:
        return None
    path = existing_folder(folder, "mosh_dir", "neutrMosh") / "neutrSMPL_H3.6"
    return path if path.is_dir() else None


def mosh_file(folder: pathlib.Path | None, recording: Recording) -> pathlib.Path | None:
    if folder is None:
        return None
    name = f"{recording.name}_cam{recording.camera}_aligned.pkl"
    path = folder / f"S{recording.subject}" / name
    return path if path.is_file() else None
