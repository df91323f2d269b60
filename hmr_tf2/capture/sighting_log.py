"""Who was seen in each frame of a video, kept in a file: memory does not grow with its length."""

import os
import tempfile
from array import array
from collections.abc import Iterator, Sequence

import numpy as np

from hmr_tf2.capture.bodies import Sighting
from hmr_tf2.crops import CropPlace
from hmr_tf2.theta import NUM_THETA

# Rows that are held in memory at a time.
CHUNK = 256
_ROW = np.dtype(
    [
        ("frame", np.int64),
        ("person", np.int32),
        ("img_size", np.int32),
        ("box", np.float64, 4),
        ("score", np.float64),
        ("scale", np.float64, 2),
        ("start", np.float64, 2),
        ("theta", np.float32, NUM_THETA),
    ]
)


class SightingLog:
    """The sightings of a video in the order of its frames.

    Frames are appended first; only then can they be read and changed.

    >>> with SightingLog("out") as log:
    ...     log.append(0.0, [sighting])
    ...     for person, rows in log.tracks():
    ...         ...

    Args:
        folder: a folder with room for half a kilobyte per person and frame; it must exist.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = folder
        self._times = array("d")
        self._num_rows = 0

    def __enter__(self) -> "SightingLog":
        self._file = tempfile.TemporaryFile(prefix=".seen", dir=self.folder)  # noqa: SIM115
        return self

    def __exit__(self, kind, error, trace) -> None:
        self._file.close()

    def __len__(self) -> int:
        """The number of frames."""
        return len(self._times)

    @property
    def num_sightings(self) -> int:
        return self._num_rows

    @property
    def times(self) -> np.ndarray:
        """Float64 [T], the seconds from the first frame to each."""
        return np.array(self._times)

    def append(self, time: float, sightings: Sequence[Sighting]) -> None:
        """Adds the next frame with everyone who is in it."""
        rows = np.zeros(len(sightings), _ROW)
        for row, sighting in zip(rows, sightings, strict=True):
            row["frame"], row["person"] = len(self._times), sighting.person
            _fill(row, sighting)
        self._file.write(rows.tobytes())
        self._times.append(time)
        self._num_rows += len(rows)

    def frames(self) -> Iterator[list[Sighting]]:
        """Yields the sightings of each frame."""
        waiting: list[Sighting] = []
        number = 0
        for start in range(0, self._num_rows, CHUNK):
            for row in np.array(self._rows()[start : start + CHUNK]):
                while number < row["frame"]:
                    yield waiting
                    waiting, number = [], number + 1
                waiting.append(_sighting(row))
        for _ in range(number, len(self._times)):
            yield waiting
            waiting = []

    def tracks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yields each person, in the order of their numbers, with the numbers of the rows.

        The rows, int64 [N], are for `frames_of`, `read` and `change`.
        """
        persons = np.array(self._rows()["person"])
        order = np.argsort(persons, kind="stable")
        ends = np.flatnonzero(np.diff(persons[order])) + 1
        for rows in np.split(order, ends) if len(order) else ():
            yield int(persons[rows[0]]), rows

    def frames_of(self, rows: np.ndarray) -> np.ndarray:
        """Int64 [N]: the number of the frame of each row."""
        return np.array(self._rows()["frame"][rows])

    def read(self, rows: np.ndarray) -> list[Sighting]:
        """The sightings of some rows, which should be at most `CHUNK`."""
        return [_sighting(row) for row in self._rows()[rows]]

    def change(self, rows: np.ndarray, sightings: Sequence[Sighting]) -> None:
        """Puts other sightings of the same people in the place of some rows."""
        all_rows = self._rows("r+")
        changed = all_rows[rows]
        for row, sighting in zip(changed, sightings, strict=True):
            _fill(row, sighting)
        all_rows[rows] = changed
        all_rows.flush()

    def _rows(self, mode="r") -> np.memmap | np.ndarray:
        """All rows. A map is made for each use, so that its pages do not stay in memory."""
        if not self._num_rows:
            return np.zeros(0, _ROW)
        self._file.flush()
        return np.memmap(self._file, _ROW, mode, shape=self._num_rows)


def chunks_of(rows: np.ndarray) -> Iterator[np.ndarray]:
    """The numbers of rows in pieces of at most `CHUNK`."""
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]


def _fill(row, sighting):
    row["box"], row["score"], row["theta"] = sighting.box, sighting.score, sighting.theta
    place = sighting.place
    row["img_size"], row["scale"], row["start"] = place.img_size, place.scale, place.start


def _sighting(row) -> Sighting:
    place = CropPlace(row["scale"].copy(), row["start"].copy(), int(row["img_size"]))
    return Sighting(
        int(row["person"]), row["box"].copy(), float(row["score"]), place, row["theta"].copy()
    )
