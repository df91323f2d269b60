"""EXIF blocks, whole and damaged, and pictures whose sides can be told apart."""

import io
import struct

import numpy as np
from PIL import Image

TURNS = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: np.rot90(stored),
}


def block(orientation, order="<", extra=()):
    """A TIFF without a picture: entries (tag, type, count, 4 bytes), the orientation the last."""
    entries = [*extra, (0x0112, 3, 1, struct.pack(f"{order}HH", orientation, 0))]
    return (
        (b"II*\0" if order == "<" else b"MM\0*")
        + struct.pack(f"{order}IH", 8, len(entries))
        + b"".join(struct.pack(f"{order}HHI", *e[:3]) + e[3] for e in entries)
        + bytes(4)
    )


def rich_block(orientation):
    """A block as cameras write it: text, fractions, and a second directory."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F], exif[0x0132] = "Maker of cameras", "2024:01:01 00:00:00"
    exif[0x011A], exif[0x011B], exif[0x0128] = 72.0, 72.0, 2
    exif.get_ifd(0x8769)[0x829A] = 0.01
    return exif.tobytes().removeprefix(b"Exif\0\0")


def encoded(picture, kind, block=None):
    """The bytes of a picture file without loss but for JPEG, which is of blocks of one colour."""
    options = {} if block is None else {"exif": b"Exif\0\0" + block}
    if kind == "WEBP":
        options["lossless"] = True
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, **options)
    return buffer.getvalue()


def blocks_of_colors(seed=0, height=24, width=40):
    """Squares of 8 pixels with a colour each: uint8 [H, W, 3]."""
    rng = np.random.default_rng(seed)
    colors = rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return colors.repeat(8, axis=0).repeat(8, axis=1)


def mutants(rng, data, count):
    """Copies of some bytes with a few of them changed, and sometimes cut off."""
    for _ in range(count):
        mutant = bytearray(data)
        for place in rng.integers(0, len(mutant), rng.integers(1, 6)):
            mutant[place] = rng.choice([0, 1, 127, 128, 255, rng.integers(256)])
        end = rng.integers(1, len(mutant) + 1) if rng.random() < 0.2 else len(mutant)
        yield bytes(mutant[:end])


def jpeg_with(data, *segments):
    """A JPEG with bytes put in after its start."""
    return data[:2] + b"".join(segments) + data[2:]


def segment(marker, content):
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def app1(block):
    return segment(0xE1, b"Exif\0\0" + block)
