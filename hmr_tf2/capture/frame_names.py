"""Which pictures, and which frames of which video, the names in a folder or file mean."""

import os
import pathlib
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from absl import logging

from hmr_tf2.capture import sources

# Names of frames that say nothing of the video that they are of.
GENERIC = frozenset(
    "f fr frm frame frames i im img imgs image images p pic pics picture pictures out output "
    "thumb still scene snapshot screenshot keypoints pose poses openpose result results".split()
)
_SEPARATORS = "_-. ([{#"
# More digits are no number of a frame.
_MAX_DIGITS = 15


class FrameName(NamedTuple):
    """`b_cut/frame_0012.png` has the folder `b_cut`, the prefix `frame` and the number 12."""

    folder: str
    prefix: str
    number: int | None


def has_suffix(name: str) -> bool:
    """Whether a name ends like that of a file."""
    return bool(re.fullmatch(r"\.[A-Za-z][A-Za-z0-9]{1,4}", os.path.splitext(name)[1]))


def parse_name(name: str) -> FrameName:
    """Takes the name of a frame apart; the number is the last one in it."""
    folder, _, last = name.replace("\\", "/").rpartition("/")
    stem = os.path.splitext(last)[0] if has_suffix(last) else last
    numbers = list(re.finditer(r"[0-9]+", stem))
    folder = folder.rpartition("/")[2]
    if not numbers or len(numbers[-1][0]) > _MAX_DIGITS:
        return FrameName(folder, stem, None)
    return FrameName(folder, stem[: numbers[-1].start()].rstrip(_SEPARATORS), int(numbers[-1][0]))


class NameIndex:
    """Finds the name of a picture or frame, in the same time however many names there are.

    Args:
        names: names of pictures and frames, files' without their endings; or numbers of frames.
        place: the file or folder that has them, for messages.
        frames_of: the frames, from 0, that names mean which have a number but say nothing of the
            video that they are of. It takes these numbers, ascending.
        are_all: whether there is a name for every frame, so that the lowest number, be it 0 or 1,
            is that of the first.
    """

    def __init__(
        self,
        names: Iterable[str | int],
        place: str,
        frames_of: Callable[[list[int]], list[int]],
        are_all: bool = False,
    ):
        self._names = list(names)
        self._place = place
        self._frames_of = frames_of
        self._are_all = are_all
        self._by_last: dict[str, list[str]] = {}
        for name in self._names:
            if isinstance(name, str):
                self._by_last.setdefault(_parts(name)[-1], []).append(name)
        self._found: dict[pathlib.Path, Callable[[pathlib.Path, int], str | int | None]] = {}
        self._nameless_are_of: pathlib.Path | None = None

    def of_picture(self, path: pathlib.Path) -> str | None:
        """The name of a picture: its path or the end of it, with or without suffix, or a number.

        COCO_val2014_000000000139.jpg has the number 139.

        Raises:
            ValueError: names in several folders fit equally well.
        """
        found = self._of_file(path)
        number = parse_name(path.name).number
        if found is None and number is not None:
            found = self._of_number(number)
        return found

    def of_frame(self, path: pathlib.Path, frame: int) -> str | int | None:
        """The name of a frame of a video; None if it has none.

        In a folder of pictures that is seen as one video, frames have the names of their pictures
        if any of them has; otherwise they are numbered like a video's.

        Args:
            path: the video, or the picture of the frame.
            frame: its number, from 0.

        Raises:
            ValueError: no name is of this video, or it is not clear which.
        """
        video = path if sources.is_video(path) else path.parent
        if video not in self._found:
            self._found[video] = self._of_video(path) if video is path else self._of_folder(path)
        return self._found[video](path, frame)

    def _of_file(self, path):
        for last in (path.name, path.stem):
            fits = []
            for name in self._by_last.get(last, []):
                place, parts = parse_name(name), _parts(name)
                # 0001.jpg is in many folders, so that another folder's is another picture.
                is_elsewhere = (
                    not _is_generic(place.folder) and place.folder not in path.parts
                ) and _is_generic(place.prefix)
                if not is_elsewhere:
                    fits.append((_num_common(parts, path.parts), -len(parts), name))
            fits.sort(reverse=True)
            if len(fits) > 1 and fits[0][:2] == fits[1][:2] and fits[0][2] != fits[1][2]:
                raise ValueError(
                    f"{path}: {self._place} has both {fits[0][2]!r} and {fits[1][2]!r}, either of "
                    "which may be meant."
                )
            if fits:
                return fits[0][2]
        return None

    def _of_number(self, number):
        name = str(number)
        return name if name in self._by_last.get(name, ()) else None

    def _of_folder(self, path):
        """How the frames of a folder of pictures are found, of which `path` is one."""
        files = [path]
        if path.parent.is_dir():
            files += [p for p in path.parent.iterdir() if p.suffix == path.suffix]
        if any(self._of_file(file) is not None for file in files):
            return lambda file, frame: self._of_file(file)
        places = [parse_name(file.name) for file in files]
        numbers = {int(name) for name in self._by_last if _is_number(name)}
        are_numbers = all(place.prefix == "" for place in places)
        if (
            numbers
            and numbers <= {place.number for place in places}
            and (are_numbers or max(numbers) >= len(files) - 1)
        ):
            return lambda file, frame: self._of_number(parse_name(file.name).number)
        return self._of_video(path.parent)

    def _of_video(self, video):
        """How the frames of a video are found."""
        own: dict[int, str | int] = {}
        nameless: dict[int, str | int] = {}
        others: list[tuple[str, str]] = []
        for name in self._names:
            place = parse_name(name) if isinstance(name, str) else FrameName("", "", name)
            owner = _owner(place, video)
            if place.number is None or owner:
                others.append((name, owner or place.prefix))
                continue
            frames = own if owner is None else nameless
            if place.number in frames:
                raise ValueError(
                    f"{video}: {self._place} has both {frames[place.number]!r} and {name!r} for "
                    f"frame {place.number}."
                )
            frames[place.number] = name
        if not own and not nameless:
            raise ValueError(self._nothing_for(video, others))
        if not own:
            own = self._in_order(nameless, video)
        elif self._are_all and min(own) == 1:
            own = {number - 1: name for number, name in own.items()}
        return lambda file, frame: own.get(frame)

    def _nothing_for(self, video, others):
        if not others:
            return f"{video}: {self._place} has no frames."
        owners = list(dict.fromkeys(owner for _, owner in others))
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        return (
            f"{video}: {self._place} has nothing for it. It has {others[0][0]!r}{more}, of "
            f"{', '.join(map(repr, owners[:5]))}; names that begin with {video.stem!r}, or are "
            "numbers alone, would do."
        )

    def _in_order(self, nameless, video):
        if self._nameless_are_of not in (None, video):
            raise ValueError(
                f"{video}: {self._place} does not say of which video its frames are; they were "
                f"taken for those of {self._nameless_are_of}."
            )
        self._nameless_are_of = video
        numbers = sorted(nameless)
        if self._are_all and numbers[0] == 1:
            frames = [number - 1 for number in numbers]
        else:
            frames = self._frames_of(numbers)
        logging.info(
            "%s does not say of which video its frames are: %d to %d are taken as frames %d to %d "
            "of %s, in the order of their numbers.",
            self._place,
            numbers[0],
            numbers[-1],
            frames[0],
            frames[-1],
            video,
        )
        return {frame: nameless[n] for frame, n in zip(frames, numbers, strict=True)}


def frames_in_order(numbers: list[int]) -> list[int]:
    """The frames that files mean which are numbered somehow: the first is frame 0.

    If more than half of the numbers from first to last are there, one that lacks is a frame
    without a file. Otherwise the numbers give no more than the order.

    Args:
        numbers: those of the files, ascending.
    """
    first, last = numbers[0], numbers[-1]
    if 2 * len(numbers) > last - first + 1:
        return [number - first for number in numbers]
    return list(range(len(numbers)))


def _owner(place: FrameName, video: pathlib.Path) -> str | None:
    """None if a frame is of `video`, "" if it may be of any, else the video that it is of."""
    for name in {video.stem, video.name} - {""}:
        rest = place.prefix.removeprefix(name)
        if place.folder == name or (
            len(rest) < len(place.prefix)
            and (not rest or rest[0] in _SEPARATORS)
            and _is_generic(rest.strip(_SEPARATORS))
        ):
            return None
    if not _is_generic(place.prefix):
        return place.prefix
    return "" if place.folder == video.parent.name or _is_generic(place.folder) else place.folder


def _is_generic(word):
    return not word or word.lower() in GENERIC


def _is_number(name):
    return name.isascii() and name.isdecimal() and len(name) <= _MAX_DIGITS


def _parts(name):
    return name.replace("\\", "/").split("/")


def _num_common(parts, others):
    """How many of the last parts are the same."""
    count = 0
    for one, other in zip(reversed(parts[:-1]), reversed(others[:-1]), strict=False):
        if one != other:
            break
        count += 1
    return count
