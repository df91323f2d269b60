"""What the commands demo and client share: where people are, and what is written where."""

import dataclasses
import pathlib
import typing
import webbrowser

from absl import logging

from tfrecords_tools.settings import setting

if typing.TYPE_CHECKING:  # importing it takes seconds, which --help should not
    from hmr_tf2.capture.results_file import ResultsFile


@dataclasses.dataclass(frozen=True)
class CaptureSettings:
    """The pictures, the people in them, and their results."""

    img_path: str | None = setting(
        None, "Picture to read, a folder of pictures, or a pattern such as 'in/*.jpg'.", "input"
    )

    bbox: str | None = setting(
        None,
        "Bounding box of the person as x,y,width,height in pixels; separate several by ';'.",
        "people",
    )
    json_path: str | None = setting(
        None,
        "File or folder of files that say where people are: OpenPose's, AlphaPose's, MMPose's, "
        "Ultralytics', or detections or annotations of COCO's form.",
        "people",
    )
    detector: str = setting(
        "none",
        "Detector that finds the people: hog is OpenCV's detector of standing people.",
        "people",
        choices=("none", "hog"),
    )
    min_score: float = setting(
        0.3, "People in --json_path with a lower score than this are ignored.", "people"
    )

    out_dir: str = setting("capture_out", "Folder to write the results to.", "output")
    focal_length: float | None = setting(
        None,
        "Focal length of the camera in pixels; the default is 500/224 of the picture's longer "
        "side.",
        "output",
        above=0,
    )
    show: bool = setting(False, "Open the results in the web browser.", "output")


def box_source(settings: CaptureSettings):
    """What finds people, as the flags say; None if they do not say.

    Raises:
        ValueError, OSError: flags exclude each other, or a file cannot be read.
    """
    from hmr_tf2.capture import box_files, boxes, detector

    asked = {
        "--bbox": settings.bbox,
        "--json_path": settings.json_path,
        "--detector": settings.detector != "none",
    }
    given = [flag for flag, value in asked.items() if value]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} exclude each other; give only one of them.")
    if settings.bbox:
        return boxes.GivenBoxes(boxes.parse_boxes(settings.bbox))
    if settings.json_path:
        return box_files.read_boxes(pathlib.Path(settings.json_path), settings.min_score)
    return detector.HogDetector() if given else None


def check_for_one(settings: CaptureSettings, source, files: list[pathlib.Path]) -> None:
    """Checks that boxes of one picture or video are not asked for several.

    Raises:
        ValueError: they are.
    """
    if source is None or not source.is_for_one:
        return
    if len(files) > 1:
        raise ValueError(
            "--bbox, or a single OpenPose file, is for one picture; --img_path means "
            f"{len(files)} files. Give the folder of all OpenPose files as --json_path."
        )
    if settings.json_path and files[0].stem not in pathlib.Path(settings.json_path).stem:
        logging.warning(
            "%s is taken for %s, though it is not called after it.", settings.json_path, files[0]
        )


def folders_of(files, out: pathlib.Path) -> dict[pathlib.Path, pathlib.Path]:
    """A folder in `out` for each file, named after it; files of the same stem keep the suffix."""
    stems = [path.stem for path in files]
    folders, taken = {}, set()
    for path in files:
        name = path.stem if stems.count(path.stem) == 1 else path.name
        while name in taken:
            name += "_"
        taken.add(name)
        folders[path] = out / name
    return folders


def summary(
    out: pathlib.Path, folders: dict[pathlib.Path, pathlib.Path], results: "ResultsFile"
) -> str:
    """Says what was recovered, and where it is."""
    done = _done(folders, results)
    lines = [
        f"Recovered {plural(results.num_people, 'body', 'bodies')} in {len(done)} of "
        f"{plural(len(folders), 'file', 'files')}: "
        f"{out / 'results.json'}, {out / 'results.npz'}"
    ]
    lines += [f"  {path} -> {folders[path]}/" for path in done[:10]]
    if len(done) > 10:
        lines.append(f"  and {len(done) - 10} more in {out}/")
    return "\n".join(lines)


def finish(
    settings: CaptureSettings, folders: dict[pathlib.Path, pathlib.Path], results: "ResultsFile"
) -> None:
    """Opens the first result in a browser if --show asks for it.

    Raises:
        ValueError: something failed; the message lists it.
    """
    done = _done(folders, results)
    if settings.show and done:
        pages = [folders[done[0]] / name for name in ("viewer.html", "overlay.mp4")]
        webbrowser.open(next(page for page in pages if page.is_file()).resolve().as_uri())
    if results.failed:
        lines = "\n".join(f"  {entry['error']}" for entry in results.failed)
        files = plural(len(folders), "file", "files")
        raise ValueError(f"{len(results.failed)} of {files} failed:\n{lines}")


def plural(count: int, one: str, many: str) -> str:
    """A number with what it counts, such as `1 body` or `2 bodies`."""
    return f"{count} {one if count == 1 else many}"


def _done(folders: dict[pathlib.Path, pathlib.Path], results: "ResultsFile") -> list[pathlib.Path]:
    failed = {entry["file"] for entry in results.failed}
    return [path for path in folders if str(path) not in failed]
