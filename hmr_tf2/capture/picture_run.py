"""Recovers everyone in a number of pictures, and draws them."""

import pathlib
from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np
from absl import logging
from tqdm import tqdm

from hmr_tf2.capture.bodies import (
    Body,
    Sighting,
    body_of,
    color_of,
    default_focal_length,
    rows_of,
    see,
    to_draw,
)
from hmr_tf2.capture.boxes import BoxSource
from hmr_tf2.capture.results_file import ResultsFile
from hmr_tf2.crops import Crop, CropPlace, crop_box, crop_whole_picture, part_around
from hmr_tf2.pictures import read_picture, write_picture
from hmr_tf2.predictor import CropPredictor
from hmr_tf2.visualization import gltf, mesh_files, overlay, viewer
from tfrecords_tools import system_errors

# Resolution of one view of a panel.
VIEW_PX = 448
# Box, score and crop of a person.
Cut = tuple[np.ndarray, float, Crop]
# A person with the network's output for the crop.
Seen = tuple[Sighting, dict[str, np.ndarray]]


def run(
    folders: dict[pathlib.Path, pathlib.Path],
    predictor: CropPredictor,
    source: BoxSource | None,
    results: ResultsFile,
    focal_length: float | None,
    change: Callable[[list[Seen]], list[Seen]] | None = None,
) -> None:
    """Writes what was seen in each picture to its folder; failures are noted in `results`.

    Args:
        folders: the folder for the results of each picture.
        predictor: recovers the bodies.
        source: says where people are; None means one person, who fills the picture.
        results: collects all people.
        focal_length: of the pinhole cameras, in pixels; None means `default_focal_length`.
        change: changes the people who were seen in a picture, before anything is written.
    """
    with tqdm(total=len(folders), unit="picture", desc="Pictures", disable=None) as progress:
        for path, seen in _see_all(folders, predictor, source):
            if change and not isinstance(seen, Exception):
                seen = _attempt(change, seen)
            if not isinstance(seen, Exception):
                seen = _attempt(
                    _finish, path, folders[path], seen, predictor.faces, results, focal_length
                )
            if isinstance(seen, Exception):
                results.fail(path, seen)
                logging.error("%s", system_errors.sentence(seen))
            progress.update()


def write_drawings(
    folder: pathlib.Path, picture: np.ndarray, bodies: list[Body], faces: np.ndarray
) -> None:
    """Writes overlay.png, viewer.html, and for each person a panel, an OBJ and a GLB file.

    Args:
        folder: the folder to write to; it is created if it is missing.
        picture: RGB uint8 [H, W, 3].
        bodies: the people in it.
        faces: int [F, 3].
    """
    drawn = to_draw(bodies)
    write_picture(folder / "overlay.png", overlay.draw_bodies(picture, drawn, faces))
    viewer.write_viewer(folder / "viewer.html", picture, drawn, faces)
    size = picture.shape[1::-1]
    for body in bodies:
        name = folder / f"person{body.sighting.person}"
        place, side = body.sighting.place, VIEW_PX
        panel = overlay.six_views(
            cut_out(picture, place, side),
            body.verts,
            body.joints * (side / place.img_size),
            body.sighting.cam,
            faces,
        )
        write_picture(name.with_suffix(".png"), panel)
        mesh_files.write_obj(name.with_suffix(".obj"), body.verts, faces)
        gltf.write_body(
            name.with_suffix(".glb"),
            body.verts,
            faces,
            body.pinhole.translation,
            size,
            body.pinhole.focal_length[1],
            color_of(body.sighting),
        )


def cut_out(picture: np.ndarray, place: CropPlace, side: int) -> np.ndarray:
    """What a crop shows, uint8 [side, side, 3], but with the resolution of the picture."""
    zoom = side / place.img_size * place.scale  # pixels of the result per pixel of the picture
    # OpenCV warps no picture of more than 32766 pixels a side. Twice the crop's half leaves a rim.
    extent = place.img_size / place.scale
    picture, corner = part_around(picture, place.start / place.scale + extent / 2, extent)
    # Sampling single points of a far larger picture would show a moiré.
    size = np.array(picture.shape[1::-1])
    smaller = np.minimum(np.round(2.0 * zoom * size).astype(int).clip(1), size)
    small = cv2.resize(picture, smaller.tolist(), interpolation=cv2.INTER_AREA)
    actual = smaller / size
    matrix = np.zeros((2, 3))
    matrix[:, :2] = np.diag(actual / zoom)
    matrix[:, 2] = actual * (place.start / place.scale - corner)
    return cv2.warpAffine(
        small,
        matrix,
        (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _see_all(
    files: Iterable[pathlib.Path], predictor: CropPredictor, source: BoxSource | None
) -> Iterator[tuple[pathlib.Path, list[Seen] | Exception]]:
    """Yields each picture with the people seen in it, or with what went wrong.

    Pictures are collected until their crops fill a batch. Only the crops are kept meanwhile: the
    pictures, which may be large, are read again for drawing.
    """
    together: list[tuple[pathlib.Path, list[Cut] | Exception]] = []
    num_crops = 0
    for path in files:
        cuts = _attempt(_cuts_of, path, predictor.img_size, source)
        together.append((path, cuts))
        num_crops += 0 if isinstance(cuts, Exception) else len(cuts)
        if num_crops >= predictor.batch_size:
            yield from _see(together, predictor)
            together, num_crops = [], 0
    yield from _see(together, predictor)


def _see(together, predictor):
    crops = [
        crop.image
        for _, cuts in together
        if not isinstance(cuts, Exception)
        for _, _, crop in cuts
    ]
    rows = iter(rows_of(predictor.predict_crops(np.stack(crops))) if crops else ())
    for path, cuts in together:
        if isinstance(cuts, Exception):
            yield path, cuts
            continue
        yield path, _attempt(_sightings, path, cuts, [next(rows) for _ in cuts])


def _sightings(path, cuts, rows) -> list[Seen]:
    def seen(person, cut, row):
        box, score, crop = cut
        return see(person, box, score, crop, row["theta"], str(path)), row

    return _those_that_succeed(seen, zip(range(len(cuts)), cuts, rows, strict=True))


def _cuts_of(path, img_size, source) -> list[Cut]:
    picture = read_picture(path)
    if source is None:
        box = np.array([0, 0, *picture.shape[1::-1]])
        return [(box, np.nan, crop_whole_picture(picture, img_size))]

    def cut(box, score):
        try:
            return box, score, crop_box(picture, box, img_size)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    found = source.find(path, picture)
    return _those_that_succeed(cut, zip(found.boxes, found.scores, strict=True))


def _those_that_succeed(function, people) -> list:
    """`function` of each of `people`; failures are logged, or raised if nobody succeeds."""
    done, errors = [], []
    for person in people:
        try:
            done.append(function(*person))
        except ValueError as error:
            errors.append(error)
    if errors and not done:
        raise errors[0]
    for error in errors:
        logging.warning("%s", error)
    return done


def _finish(path, folder, seen, faces, results, focal_length):
    picture = read_picture(path)
    size = picture.shape[1::-1]
    focal_length = focal_length or default_focal_length(size)
    bodies = [body_of(sighting, row, size, focal_length) for sighting, row in seen]
    write_drawings(folder, picture, bodies, faces)
    results.add(str(path), None, size, bodies)
    results.finish(path)


def _attempt(function, *args):
    """What `function` returns, or the error that a file caused."""
    try:
        return function(*args)
    except (ValueError, OSError) as error:
        return error
