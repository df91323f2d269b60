"""Which side of a stored picture is up, as its EXIF block says, however damaged the block is.

`hmr_tf2.serving.orientation` does the same in a TensorFlow graph, step for step. Only the EXIF
block counts, not XMP. Source: Exif 2.32 (CIPA DC-008), sections 4.5 and 4.6; for PNG, its third
edition, section 11.3.4.5.
"""

import re
import struct
from collections.abc import Iterator

import numpy as np

JPEG_START = b"\xff\xd8\xff"
PNG_START = b"\x89PNG\r\n\x1a\n"
TIFF_STARTS = (b"II*\0", b"MM\0*")
EXIF_START = b"Exif\0\0"
ORIENTATION = 0x0112
# Bytes of a value of each type of a TIFF entry that may hold an orientation: the standard asks for
# a SHORT, but writers and readers take any whole number.
VALUE_BYTES = {1: 1, 3: 2, 4: 4}  # BYTE, SHORT, LONG
# So many segments of a JPEG or chunks of a PNG are looked at, in search of the EXIF block: a
# hostile file has millions.
MAX_PARTS = 4096
# The next marker of a JPEG is searched in steps of so many bytes; each counts as a part.
WINDOW = 256

APP0, APP1, APP14, APP15, COMMENT = 0xE0, 0xE1, 0xEE, 0xEF, 0xFE
# Markers without a length: TEM, RST0 to RST7, SOI.
STANDALONE = (0x01, *range(0xD0, 0xD9))
ENDS = (0xD9, 0xDA)  # EOI, SOS: pixels follow
# libjpeg finds out how colours are coded by these, if they are as long as this.
COLOR_SEGMENTS = {APP0: 14, APP14: 12}
PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
# The entries of a TIFF without which its pixels cannot be decoded.
PIXEL_TAGS = (
    *range(256, 260), 262, 266, 273, *range(277, 280), 284, 292, 293, 317, *range(320, 326), 332,
    338, 339, 347, *range(512, 522), *range(529, 533),
)  # fmt: skip


def orientation_of_file(data: bytes) -> int:
    """The orientation of a JPEG, PNG or TIFF, 1 to 8; 1 for others, or if none can be read."""
    if data.startswith(TIFF_STARTS):
        return orientation_of_block(data)
    if data.startswith(JPEG_START):
        for marker, start, end in _segments(data):
            if marker == APP1 and data[start:end].startswith(EXIF_START):
                return orientation_of_block(data[start:end])
    if data.startswith(PNG_START):
        for kind, start, end in _chunks(data):
            if kind == b"eXIf":
                return orientation_of_block(data[start:end])
    return 1


def orientation_of_block(block: bytes) -> int:
    """The orientation that an EXIF block states, 1 to 8; 1 if it states none that can be read.

    The entries are read one by one, so that damage to others does no harm.

    Args:
        block: a TIFF without a picture, after `EXIF_START` or not.
    """
    block = block.removeprefix(EXIF_START)
    directory = _directory(block)
    if directory is None:
        return 1
    order, entries, _ = directory
    found = 1
    for entry in entries:
        tag, kind, count = struct.unpack_from(f"{order}HHI", entry)
        size = VALUE_BYTES.get(kind, 0)
        # More than one value is wrong, but the first is still the orientation.
        if tag == ORIENTATION and size and 1 <= count <= 4 // size:
            value = int.from_bytes(entry[8 : 8 + size], "little" if order == "<" else "big")
            found = value if 1 <= value <= 8 else 1
    return found


def upright(picture: np.ndarray, orientation: int) -> np.ndarray:
    """A stored picture [H, W, 3] turned and mirrored as its orientation asks for."""
    if orientation >= 5:
        picture = picture.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        picture = picture[::-1]
    if orientation in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture)


def without_metadata(data: bytes) -> bytes:
    """A picture file with the same pixels, but nothing else that a decoder could stumble over.

    Pillow reads EXIF blocks while it opens a file, and fails if one is damaged. What is not a
    JPEG, PNG, TIFF, AVIF or HEIF, and what cannot be followed, is kept.
    """
    if data.startswith(JPEG_START):
        return _without(data, _jpeg_metadata(data))
    if data.startswith(PNG_START):
        # A chunk has 8 bytes before its content, and 4 after.
        others = ((s - 8, e + 4) for kind, s, e in _chunks(data) if kind not in PIXEL_CHUNKS)
        return _without(data, others)
    if data.startswith(TIFF_STARTS):
        return _first_directory_only(data)
    if data[4:8] == b"ftyp":
        # An item of a kind that decoders do not know is passed over: one byte for the version,
        # three of flags, two or four for the number, two for protection, then the kind.
        entry = rb"(?s)(infe(?:\x02.{7}|\x03.{9}))(?:Exif|mime)"
        return re.sub(entry, rb"\1free", data)
    return data


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of the content of each JPEG segment before the pixels."""
    position = 2
    for _ in range(MAX_PARTS):
        # Fill bytes (0xFF) and bytes that belong to nothing are passed over, as decoders do.
        match = re.search(rb"\xff[^\x00\xff]", data[position : position + WINDOW + 1])
        if match is None:
            if position + WINDOW >= len(data):
                return
            position += WINDOW
            continue
        start = position + match.end()
        marker = data[start - 1]
        if marker in ENDS:
            return
        position = start
        if marker not in STANDALONE:
            length = int.from_bytes(data[start : start + 2], "big")
            position = start + length
            if length < 2 or position > len(data):
                return
            yield marker, start + 2, position


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the content of each whole PNG chunk."""
    position = len(PNG_START)
    for _ in range(MAX_PARTS):
        start = position + 8
        end = start + int.from_bytes(data[position : position + 4], "big")
        position = end + 4
        if position > len(data):
            return
        yield data[start - 4 : start], start, end


def _jpeg_metadata(data):
    """Where the segments are that the pixels do not need, and what stands between segments."""
    position = 2
    for marker, start, end in _segments(data):
        yield position, start - 4
        position = end
        is_metadata = APP0 <= marker <= APP15 or marker == COMMENT
        if is_metadata and end - start < COLOR_SEGMENTS.get(marker, len(data)):
            yield start - 4, end


def _directory(block: bytes) -> tuple[str, list[bytes], int] | None:
    """Byte order, entries and place of the first directory of a TIFF; None if it has none."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return None
    place = struct.unpack_from(f"{order}I", block, 4)[0]
    if place + 2 > len(block):
        return None
    count = struct.unpack_from(f"{order}H", block, place)[0]
    table = block[place + 2 : place + 2 + 12 * count]
    return order, [table[k : k + 12] for k in range(0, len(table) - 11, 12)], place


def _first_directory_only(data: bytes) -> bytes:
    """A TIFF whose first directory has only `PIXEL_TAGS`, and is the only one."""
    directory = _directory(data)
    if directory is None:
        return data
    order, entries, place = directory
    kept = [e for e in entries if struct.unpack_from(f"{order}H", e)[0] in PIXEL_TAGS]
    table = struct.pack(f"{order}H", len(kept)) + b"".join(kept) + bytes(4)
    return data[:place] + table + data[place + len(table) :]


def _without(data: bytes, spans) -> bytes:
    kept, position = [], 0
    for start, end in spans:
        kept.append(data[position:start])
        position = end
    return b"".join([*kept, data[position:]])
