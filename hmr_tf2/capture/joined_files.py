"""Notices video files that were joined byte by byte, where players read only the first of them.

In MPEG, Matroska and AVI such files play on; MP4 and FLV have a table or a clock for one file.
"""

import os
from typing import BinaryIO

# Parts of a file that are looked at: more than an hour of FLV has.
_MAX_PARTS = 2**20
_FLV_START = b"FLV\x01"


def is_joined(path: str | os.PathLike) -> bool:
    """Whether another file's beginning follows where the first MP4 or FLV file ends."""
    with open(path, "rb") as file:
        head = file.read(8)
        if head[4:8] == b"ftyp":
            return _has_second_mp4(file)
        return head[:4] == _FLV_START and _has_second_flv(file)


def _has_second_mp4(file: BinaryIO) -> bool:
    """Walks along the boxes: size and kind, or 1 and kind and the size in 8 bytes."""
    place = 0
    for _ in range(_MAX_PARTS):
        file.seek(place)
        head = file.read(16)
        if place and head[4:8] == b"ftyp":
            return True
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if len(head) < 8 or size < 8:
            return False
        place += size
    return False


def _has_second_flv(file: BinaryIO) -> bool:
    """Walks along the tags: 11 bytes with the size in the second to fourth, content, 4 bytes."""
    file.seek(5)
    place = int.from_bytes(file.read(4), "big") + 4
    for _ in range(_MAX_PARTS):
        file.seek(place)
        head = file.read(11)
        if head[:4] == _FLV_START:
            return True
        if len(head) < 11 or head[0] & 0x1F not in (8, 9, 18):  # sound, picture, script
            return False
        place += 11 + int.from_bytes(head[1:4], "big") + 4
    return False
