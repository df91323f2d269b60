"""results.json and results.npz: everything that was recovered, for other programs.

docs/outputs.md describes every entry.
"""

import contextlib
import json
import math
import os
import pathlib
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


class ResultsFile:
    """Collects people one by one; the two files appear when the block ends, however it ends.

    If an error or Ctrl-C ends it, the files that nobody came to are listed as failed. Vertices
    wait in a temporary file, because those of a long video do not fit into memory.

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
        self._images: list[dict] = []
        self._rows: list[dict[str, np.ndarray]] = []
        self._failed: list[dict[str, str]] = []
        self._num_vertices = 0

    def __enter__(self) -> "ResultsFile":
        self._out_dir.mkdir(parents=True, exist_ok=True)
        self._stack = contextlib.ExitStack()
        self._verts = self._stack.enter_context(
            tempfile.TemporaryFile(prefix=".verts", dir=self._out_dir)
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

    def add(self, file: str, frame: int | None, size: tuple[int, int], bodies: list[Body]) -> None:
        """Adds the people in a picture, or in a frame (from 0) of a video, ordered by number."""
        people = []
        for body in sorted(bodies, key=lambda body: body.sighting.person):
            entry = _arrays(body)
            people.append({"row": len(self._rows), **_as_json(entry)})
            self._rows.append(
                {
                    "image": np.array(str(file)),
                    "frame": np.array(-1 if frame is None else frame),
                    **entry,
                }
            )
            self._num_vertices = len(body.verts)
            self._verts.write(np.ascontiguousarray(body.verts, np.float32).tobytes())
        self._images.append(
            {
                "file": str(file),
                "frame": frame,
                "width": size[0],
                "height": size[1],
                "people": people,
            }
        )

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
    def failed(self) -> list[dict[str, str]]:
        """`file` and `error` of each file that failed."""
        return self._failed

    @property
    def num_people(self) -> int:
        return len(self._rows)

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
        content = {
            "format": FORMAT,
            "version": VERSION,
            "load_path": self._load_path,
            "keypoint_names": list(joints.COCO_PLUS.names),
            "joint_names": list(joints.SMPL.names),
            "images": self._images,
            "failed": self._failed,
        }
        path = self._out_dir / JSON_NAME
        with replacing(path) as partial, open(partial, "w", encoding="utf-8") as file:
            json.dump(content, file, allow_nan=False)
        columns = {
            name: np.stack([row[name] for row in self._rows]) for name in (self._rows or [{}])[0]
        }
        self._verts.flush()
        verts = np.zeros((0, 0, 3), np.float32)
        if self._rows:
            verts = np.memmap(
                self._verts, np.float32, "r", shape=(len(self._rows), self._num_vertices, 3)
            )
        path = self._out_dir / NPZ_NAME
        # Should the disk be full, the JSON file is there and no older arrays contradict it.
        path.unlink(missing_ok=True)
        write_npz(
            path,
            verts=verts,
            faces=self._faces,
            keypoint_names=np.array(joints.COCO_PLUS.names),
            joint_names=np.array(joints.SMPL.names),
            **columns,
        )


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
