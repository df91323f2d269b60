"""Tells what kind of file something is by its first bytes, whatever its name says.

People are given files under other files' names: a pointer of Git LFS, the page of a site that
wanted a password, an archive that was never unpacked. `kind_of` names them, `remedy` says what to
do, and a reader that expected something else makes a message of both.
"""

import os
import re

from tfrecords_tools.paths import path_of

# A tar archive's mark stands 257 bytes from its beginning.
HEAD_BYTES = 1024

EMPTY = "empty (0 bytes)"
LFS_POINTER = "a pointer of Git LFS, a few lines of text that stand for the file"
HTML = "a web page (HTML), such as a site's login page or its message of an error"
XML = "an XML document"
JSON = "a JSON document"
TEXT = "a text file"
NPY = "a single NumPy array (.npy)"
NPZ = "an archive of NumPy arrays (.npz)"
HDF5 = "an HDF5 file"
PICKLE = "a pickle"
PYTORCH = "a PyTorch file (.pth, .pt or .ckpt)"
ONNX = "an ONNX model"
ZIP = "a zip archive"
GZIP = "a gzip archive"
TAR = "a tar archive"
SEVEN_ZIP = "a 7z archive"
RAR = "a rar archive"
BZIP2 = "a bzip2 archive"
XZ = "an xz archive"
ZSTD = "a zstd archive"
PDF = "a PDF document"
PICTURE = "a picture"
MATLAB = "a MATLAB file (.mat)"
MESH = "a mesh for 3-D programs"
ZEROS = "nothing but zero bytes, as a download leaves that was broken off"

ARCHIVES = (ZIP, GZIP, TAR, SEVEN_ZIP, RAR, BZIP2, XZ, ZSTD)

_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", LFS_POINTER),
    (b"version http://git-media", LFS_POINTER),
    (b"\x93NUMPY", NPY),
    (b"\x89HDF\r\n\x1a\n", HDF5),
    (b"\x1f\x8b", GZIP),
    (b"7z\xbc\xaf\x27\x1c", SEVEN_ZIP),
    (b"Rar!\x1a\x07", RAR),
    (b"\xfd7zXZ\x00", XZ),
    (b"\x28\xb5\x2f\xfd", ZSTD),
    (b"%PDF-", PDF),
    (b"\x89PNG\r\n\x1a\n", PICTURE),
    (b"\xff\xd8\xff", PICTURE),
    (b"GIF8", PICTURE),
    (b"MATLAB 5.0 MAT-file", MATLAB),
    (b"glTF", MESH),
    (b"ply\n", MESH),
    (b"Kaydara FBX Binary", MESH),
    # The long number with which PyTorch's older format begins, pickled.
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", PYTORCH),
)
_HTML = re.compile(rb"<(!doctype\s+html|html|head|body|title|script|meta|!--)", re.IGNORECASE)
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
# How the pickles begin that Python 2 wrote as text: a container, or a name in two lines.
_TEXT_PICKLE = re.compile(rb"\(([dltci(NV]|S['\"]|[ILF]-?[\d.]+L?\r?\n)|c[\w.]+\r?\n[\w.]+\r?\n")
_ONNX = re.compile(rb"\x08[\x01-\x20]\x12[\x00-\x7f]([A-Za-z][\w.+/-]+)")
_ONNX_WRITERS = (b"pytorch", b"tf2onnx", b"onnx", b"skl2onnx", b"paddle", b"keras", b"CoreML")


def kind_of(head: bytes) -> str | None:
    """The kind of a file in words that follow `is`, one of the constants above.

    Args:
        head: the first `HEAD_BYTES` of the file, or all of it where it is smaller.

    Returns:
        None for what is not known.
    """
    if not head:
        return EMPTY
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _kind_of_zip(head)
    if re.match(rb"BZh[1-9]1AY&SY", head):
        return BZIP2
    if head[257:262] == b"ustar":
        return TAR
    if re.match(rb"\x80[\x00-\x09]", head):
        return PICKLE
    found = _ONNX.match(head)
    if found and found[1].startswith(_ONNX_WRITERS):
        return ONNX
    if len(head) >= 16 and not any(head):
        return ZEROS
    return _kind_of_text(head)


def kind_of_file(path: str | os.PathLike) -> str | None:
    """`kind_of` of a file; raises OSError if it cannot be read."""
    with path_of(path).open("rb") as file:
        return kind_of(file.read(HEAD_BYTES))


def remedy(kind: str, wanted: str) -> str:
    """What to do about a file of this kind, as a sentence.

    Args:
        kind: what `kind_of` returned.
        wanted: what is needed in its place, such as `the SMPL file (.pkl)`.
    """
    if kind == LFS_POINTER:
        return f"`git lfs pull` in the folder it was cloned to fetches {wanted}."
    if kind in (HTML, XML):
        return f"Log in to the site with a browser and download {wanted} again."
    if kind in (EMPTY, ZEROS):
        return f"Download {wanted} again."
    if kind in ARCHIVES:
        return f"Unpack it, and give {wanted} that is in it."
    return f"Give {wanted} instead."


def _kind_of_zip(head: bytes) -> str:
    """NumPy's and PyTorch's files are zip archives, whose first member has a telling name."""
    length = int.from_bytes(head[26:28], "little")
    name = head[30 : 30 + length]
    if name.endswith(b".npy"):
        return NPZ
    if re.search(rb"(^|/)(data\.pkl|version|byteorder|\.format_version|\.data/)", name):
        return PYTORCH
    return ZIP


def _kind_of_text(head: bytes) -> str | None:
    text = head
    for mark in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            text = head[len(mark) :].replace(b"\0", b"")
    if _TEXT_PICKLE.match(text):
        return None
    text = text.lstrip()
    if _HTML.match(text):
        return HTML
    if text.startswith(b"<"):
        return XML if text[1:2] in b"?!/" or text[1:2].isalpha() else None
    # A character may be cut in two at the end.
    if not text or re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]", text):
        return None
    try:
        text[: max(1, len(text) - 3)].decode("utf-8")
    except UnicodeDecodeError:
        return None
    return JSON if text[:1] in b"{[" else TEXT
