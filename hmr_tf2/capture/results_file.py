"""results.json and results.npz: everything that was recovered, for other programs.

docs/outputs.md describes every entry.
"""

import contextlib
import json
import math
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterable

import numpy as np
from absl import logging

from hmr_tf2.capture.bodies import Body
from tfrecords_tools import joints, system_errors
from tfrecords_tools.files import ends_all_writing, replacing, write_npz

FORMAT, VERSION = "hmr_tf2 results", 1
JSON_NAME, NPZ_NAME = "results.json", "results.npz"
# Micrometres and millionths of a pixel: float32 is no more precise.
_DECIMALS = 6
# Rows that are in memory at a time.
_CHUNK = 4096


class ResultsFile:
    """Collects people one by one; the two files appear when the block ends, however it ends.

    If an error or Ctrl-C ends it, the files that nobody came to are listed as failed. People wait
    in temporary files, because those of a long video do not fit into memory.

    >>> with ResultsFile("out", predictor.faces, load_path, ["a.jpg"]) as results:
    ...     results.add("a.jpg", None, (640, 480), bodies)
    ...     results.finish("a.jpg")
    """

    def __init__(
        self,
        out_dir: str | os.PathLike,
        faces: np.ndarray,
        load_path: str,
        files: Iterable[str | os.PathLike],
    ):
        self._out_dir = pathlib.Path(out_dir)
        self._faces = faces
        self._load_path = str(load_path)
        self._todo = dict.fromkeys(map(str, files))
        self._num_files = len(self._todo)
        self._names: dict[str, int] = {}
        self._failed: list[dict[str, str]] = []
        self._num_people = 0
        self._num_images = 0
        # Of a row without the vertices, and the number of these; known with the first person.
        self._row_type = np.dtype([])
        self._num_vertices = 0

    def __enter__(self) -> "ResultsFile":
        self._out_dir.mkdir(parents=True, exist_ok=True)
        self._stack = contextlib.ExitStack()
        self._images, self._rows, self._verts = (
            self._stack.enter_context(tempfile.TemporaryFile(prefix=prefix, dir=self._out_dir))
            for prefix in (".images", ".rows", ".verts")
        )
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is not None and self._todo:
            self._give_up(error)
        with self._stack:
            try:
                self._write()
            except OSError:
                if kind is None:  # otherwise the error that ended the block is the one to report
                    raise

    def add(
        self,
        file: str,
        frame: int | None,
        size: tuple[int, int],
        bodies: list[Body],
        time: float | None = None,
    ) -> None:
        """Adds the people in a picture, ordered by number.

        Args:
            file: the picture or video.
            frame: the frame's number in the video, from 0; None for a picture.
            size: its (width, height).
            bodies: the people.
            time: seconds from the video's first frame.
        """
        people = []
        for body in sorted(bodies, key=lambda body: body.sighting.person):
            entry = _arrays(body)
            people.append({"row": self._num_people, **_as_json(entry)})
            self._add_row(
                {
                    "image": np.array(self._names.setdefault(str(file), len(self._names))),
                    "frame": np.array(-1 if frame is None else frame),
                    "time": np.array(np.nan if time is None else time),
                    **entry,
                },
                np.asarray(body.verts, np.float32),
            )
        image = {
            "file": str(file),
            "frame": frame,
            "time": None if time is None else round(time, _DECIMALS),
            "width": size[0],
            "height": size[1],
            "people": people,
        }
        separator = ", " if self._num_images else ""
        self._images.write((separator + json.dumps(image, allow_nan=False)).encode())
        self._num_images += 1

    def _add_row(self, entry, verts):
        if not self._num_people:
            self._row_type = np.dtype([(n, v.dtype, v.shape) for n, v in entry.items()])
            self._num_vertices = len(verts)
        self._rows.write(np.array(tuple(entry.values()), self._row_type).tobytes())
        self._verts.write(np.ascontiguousarray(verts).tobytes())
        self._num_people += 1

    def finish(self, file: str | os.PathLike) -> None:
        """Notes that everyone in a file has been added."""
        self._todo.pop(str(file), None)

    def fail(self, file: str | os.PathLike, error: Exception) -> None:
        """Notes a file that gave no result; raises `error` if none could, as on a full disk."""
        if ends_all_writing(error):
            raise error
        self._todo.pop(str(file), None)
        self._failed.append({"file": str(file), "error": system_errors.sentence(error)})

    @property
    def folder(self) -> pathlib.Path:
        """The folder of the two files; temporary files may lie beside them."""
        return self._out_dir

    @property
    def failed(self) -> list[dict[str, str]]:
        """`file` and `error` of each file that failed."""
        return self._failed

    @property
    def num_people(self) -> int:
        return self._num_people

    def _give_up(self, error):
        reason = system_errors.sentence(error) or "interrupted"
        logging.warning(
            "%d of %d files were not finished; %s says so, and has the others.",
            len(self._todo),
            self._num_files,
            self._out_dir / JSON_NAME,
        )
        for file in tuple(self._todo):
            self._todo.pop(file)
            self._failed.append({"file": file, "error": f"{file} was not finished: {reason}"})

    def _write(self):
        path = self._out_dir / JSON_NAME
        with replacing(path) as partial, open(partial, "wb") as file:
            self._write_json(file)
        path = self._out_dir / NPZ_NAME
        # Should the disk be full, the JSON file is there and no older arrays contradict it.
        path.unlink(missing_ok=True)
        write_npz(
            path,
            verts=self._map(self._verts, np.dtype((np.float32, (self._num_vertices, 3)))),
            faces=self._faces,
            keypoint_names=np.array(joints.COCO_PLUS.names),
            joint_names=np.array(joints.SMPL.names),
            **self._columns(),
        )

    def _write_json(self, file):
        """The document; the images, its long part, are text already."""
        before = {
            "format": FORMAT,
            "version": VERSION,
            "load_path": self._load_path,
            "keypoint_names": list(joints.COCO_PLUS.names),
            "joint_names": list(joints.SMPL.names),
        }
        file.write(f'{json.dumps(before)[:-1]}, "images": ['.encode())
        self._images.seek(0)
        shutil.copyfileobj(self._images, file)
        file.write(f'], "failed": {json.dumps(self._failed)}}}'.encode())

    def _columns(self) -> dict[str, np.ndarray]:
        if not self._num_people:
            return {}
        rows = self._map(self._rows, self._row_type)
        names = np.array(list(self._names))
        with tempfile.TemporaryFile(prefix=".names", dir=self._out_dir) as file:
            images = np.memmap(file, names.dtype, "w+", shape=len(rows))
            for start in range(0, len(rows), _CHUNK):
                images[start : start + _CHUNK] = names[rows["image"][start : start + _CHUNK]]
        return {**{name: rows[name] for name in rows.dtype.names}, "image": images}

    def _map(self, file, kind: np.dtype) -> np.ndarray:
        """The rows in a temporary file, as an array that is not in memory."""
        file.flush()
        if not self._num_people:
            return np.zeros(0, kind)
        return np.memmap(file, kind, "r", shape=self._num_people)


def _arrays(body: Body) -> dict[str, np.ndarray]:
    """The entries of a person, named as in results.npz."""
    sighting = body.sighting
    return {
        "person": np.array(sighting.person),
        "box": sighting.box,
        "score": np.array(sighting.score),
        "theta": sighting.theta,
        "rotations": body.rotations,
        "joints": body.joints_px,
        "joints3d": body.joints3d,
        "cam": sighting.cam,
        "crop_size": np.array(sighting.place.img_size),
        "crop_scale": sighting.place.scale,
        "crop_start": np.asarray(sighting.place.start, np.float64),
        "weak_scale": body.camera.scale,
        "weak_translation": body.camera.translation,
        "focal_length": body.pinhole.focal_length,
        "principal_point": body.pinhole.principal_point,
        "translation": body.pinhole.translation,
    }


def _as_json(entry) -> dict:
    """The same in the form of results.json: numbers as lists, the cameras in one place."""
    number = {name: _plain(value) for name, value in entry.items()}
    return {
        **{
            name: number[name]
            for name in ("person", "box", "score", "theta", "rotations", "joints", "joints3d")
        },
        "camera": {
            "crop": {
                "cam": number["cam"],
                "size": number["crop_size"],
                "scale": number["crop_scale"],
                "start": number["crop_start"],
            },
            "weak_perspective": {
                "scale": number["weak_scale"],
                "translation": number["weak_translation"],
            },
            "perspective": {
                name: number[name] for name in ("focal_length", "principal_point", "translation")
            },
        },
    }


def _plain(value):
    if value.ndim == 0:
        value = value.item()
        return None if isinstance(value, float) and math.isnan(value) else value
    return np.round(value.astype(np.float64), _DECIMALS).tolist()
