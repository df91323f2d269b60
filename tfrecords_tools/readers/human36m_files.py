"""Which file of a folder is which of Human3.6M's, however its archives were unpacked.

The archives of the official site, such as `Poses_D2_Positions_S1.tgz`, hold
`S1/MyPoseFeatures/D2_Positions/Directions 1.54138969.cdf`. Many people keep the archives' own
names (`Poses_D2_Positions_S1/S1/...`, `S1/Poses_D2_Positions/...`), and some write in lower case.
So subject and kind are taken from whatever folder names them, and the recording from the file.
"""

import dataclasses
import os
import pathlib
import re

VIDEOS, KEYPOINTS, JOINTS = KINDS = ("videos", "d2_positions", "d3_positions_mono")
# Where the official archives put a file of each kind.
_PLACES = {
    VIDEOS: ("Videos", ".mp4"),
    KEYPOINTS: ("MyPoseFeatures/D2_Positions", ".cdf"),
    JOINTS: ("MyPoseFeatures/D3_Positions_mono", ".cdf"),
}
_SUFFIXES = {place[1] for place in _PLACES.values()}
# What a folder says: `S1`, `Subject_1`, `Videos_S1`, `D2_Positions`, `Poses_D2_Positions_S1.tgz`.
_PART = re.compile(
    r"(?:poses_)?(?P<kind>.*?)_?(?:(?:^|(?<=_))(?:s|subject_?)0*(?P<subject>\d{1,2}))?"
    r"(?:\.tgz|\.tar\.gz|\.tar|\.zip)?"
)
# Folders with files of the same names that are something else.
_OTHER_KIND = re.compile("^d[23]_|segment|ground_truth|^(my)?tof|angles|universal")
_EXTRACTED = re.compile(r"s(\d+)/(\w+)_(\d)/cam_(\d)")

# How many files are named in a message.
_FILES_TOLD = 3

# Subject, kind, and the recording's name with its camera, in small letters.
Key = tuple[int, str, str]


@dataclasses.dataclass(frozen=True)
class Index:
    """The files of one folder; all paths are relative to it.

    Attributes:
        files: the paths that each of the data set's files may be.
        ambiguous: the files with several paths, none of which is the official one.
        folders: (subject, action, trial, camera) -> folder of extracted frames.
        poses: those of these folders that hold `gt_poses.pkl`.
        unknown: videos and poses whose place does not tell what they are.
        top: what lies in the folder itself.
    """

    files: dict[Key, list[str]]
    ambiguous: dict[Key, list[str]]
    folders: dict[tuple[int, str, int, int], str]
    poses: dict[str, str]
    unknown: list[str]
    top: list[str]

    def find(self, subject: int, kind: str, stem: str) -> str | None:
        """The path of a file, or None if it is missing or ambiguous."""
        key = (subject, kind, _plain(stem))
        if key in self.ambiguous or key not in self.files:
            return None
        return self.files[key][0]

    def extracted(self, subject: int, action: str, trial: int, camera: int) -> str | None:
        """The folder of a recording's extracted frames, or None."""
        return self.folders.get((subject, action.lower(), trial, camera))

    def poses_of(self, extracted: str) -> str | None:
        """The file of poses in a folder of extracted frames, or None."""
        return self.poses.get(extracted)

    def ambiguous_in_words(self) -> str:
        """The first of the files that may be several."""
        told = [" or ".join(paths) for paths in self.ambiguous.values()]
        return _first_of(told)

    def in_words(self) -> str:
        """What is there, for somebody who wonders why nothing was found."""
        counts = {kind: sum(key[1] == kind for key in self.files) for kind in KINDS}
        parts = [f"{count} files of {kind}" for kind, count in counts.items() if count]
        if self.ambiguous:
            parts.append(f"of which it is not clear which is meant: {self.ambiguous_in_words()}")
        if self.unknown:
            parts.append(
                f"{len(self.unknown)} files whose folders do not say that they are of these "
                f"kinds and of which subject: {_first_of(self.unknown)}"
            )
        archives = [name for name in self.top if name.lower().endswith((".tgz", ".tar.gz"))]
        if archives:
            parts.append(f"archives that must be unpacked: {_first_of(archives)}")
        return "; ".join(parts) or (_first_of(self.top) if self.top else "nothing")


def expected(subject: int, kind: str, stem: str) -> str:
    """Where the official archives put a file."""
    place, suffix = _PLACES[kind]
    return f"S{subject}/{place}/{stem}{suffix}"


def index(root: pathlib.Path) -> Index:
    """Looks once through all folders below `root`, but not into those of extracted frames."""
    files: dict[Key, list[str]] = {}
    folders: dict[tuple[int, str, int, int], str] = {}
    poses: dict[str, str] = {}
    unknown: list[str] = []
    top: list[str] = []
    seen: set[str] = set()
    for folder, below, names in os.walk(root, followlinks=True):
        relative = pathlib.PurePath(os.path.relpath(folder, root)).as_posix()
        real = os.path.realpath(folder)
        if real in seen:  # a link that leads in a circle, or to a folder that is known
            below.clear()
            continue
        seen.add(real)
        below.sort()
        if relative == ".":
            top = sorted([*below, *names])
        if match := _EXTRACTED.fullmatch(relative.lower()):
            subject, action, trial, camera = match.groups()
            folders[int(subject), action, int(trial), int(camera)] = relative
            if "gt_poses.pkl" in names:
                poses[relative] = f"{relative}/gt_poses.pkl"
            below.clear()
            continue
        for name in sorted(names):
            stem, suffix = os.path.splitext(name)
            if suffix.lower() not in _SUFFIXES or name.startswith((".", "_")):
                continue
            path = name if relative == "." else f"{relative}/{name}"
            told = _told_by(relative, suffix.lower())
            if told is None:
                unknown.append(path)
            else:
                files.setdefault((*told, _plain(stem)), []).append(path)
    for (subject, kind, _), paths in files.items():
        # The official place comes first.
        paths.sort(key=lambda path: path != expected(subject, kind, pathlib.PurePath(path).stem))
    ambiguous = {
        key: paths
        for key, paths in files.items()
        if len(paths) > 1 and paths[0] != expected(*key[:2], pathlib.PurePath(paths[0]).stem)
    }
    return Index(files, ambiguous, folders, poses, unknown, top)


def _told_by(folder: str, suffix: str) -> tuple[int, str] | None:
    """Subject and kind of the files in a folder, if its path names one subject and one kind.

    >>> _told_by("Poses_D2_Positions_S1/S1", ".cdf")
    (1, 'd2_positions')
    """
    subjects: set[int] = set()
    kind: str | None = None
    for part in folder.lower().replace(" ", "_").replace("-", "_").split("/"):
        match = _PART.fullmatch(part)
        assert match is not None
        if match["subject"]:
            subjects.add(int(match["subject"]))
        # Of two kinds the inner one holds.
        if match["kind"] in _PLACES or _OTHER_KIND.search(match["kind"] or ""):
            kind = match["kind"]
    # A video that lies in a subject's folder can be nothing else.
    if kind is None and suffix == _PLACES[VIDEOS][1]:
        kind = VIDEOS
    if len(subjects) != 1 or kind not in _PLACES or suffix != _PLACES[kind][1]:
        return None
    return subjects.pop(), kind


def _plain(stem: str) -> str:
    return stem.lower().replace("_", " ")


def _first_of(told: list[str]) -> str:
    return ", ".join(told[:_FILES_TOLD]) + (" ..." if len(told) > _FILES_TOLD else "")
