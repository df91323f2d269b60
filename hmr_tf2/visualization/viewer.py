"""One HTML file that shows bodies over their picture, to be turned with the mouse or a finger.

The page holds the picture, the meshes and a small WebGL program. It fetches nothing, and a content
policy in it forbids that.
"""

import base64
import io
import json
import os
import pathlib

import numpy as np
from PIL import Image

from tfrecords_tools.files import write_text

TEMPLATE = pathlib.Path(__file__).with_name("viewer.html")
# The places in the template for the scene and the title.
_SCENE_MARK, _TITLE_MARK = "__SCENE__", "__TITLE__"
# Larger pictures are shown at this size: screens have no more pixels.
MAX_SIDE = 2048


def write_viewer(
    path: str | os.PathLike, picture: np.ndarray, bodies, faces: np.ndarray, title: str = "hmr_tf2"
) -> None:
    """Writes the page; it appears under its name when it is complete.

    Args:
        path: the HTML file.
        picture: RGB uint8 [H, W, 3].
        bodies: as for `overlay.draw_bodies`, the farthest first.
        faces: int [F, 3].
        title: title of the page.
    """
    height, width = picture.shape[:2]
    num_vertices = len(bodies[0][0]) if len(bodies) else 0
    scene = {
        "width": width,
        "height": height,
        "picture": _jpeg(picture),
        # The indices of WebGL 1 end at 65535 unless the browser has an extension.
        "faces": _base64(faces, np.uint16 if num_vertices <= 2**16 else np.uint32),
        "is_wide": num_vertices > 2**16,
        "bodies": [
            {
                "vertices": _base64(vertices, np.float32),
                "scale": list(map(float, camera.scale)),
                "translation": list(map(float, camera.translation)),
                "color": list(map(float, color)),
            }
            for vertices, camera, color in bodies
        ],
    }
    # Inside a script element, '</' could end it.
    text = json.dumps(scene, allow_nan=False).replace("</", "<\\/")
    page = TEMPLATE.read_text(encoding="utf-8")
    page = page.replace(_TITLE_MARK, _escaped(title)).replace(_SCENE_MARK, text)
    write_text(path, page)


def _escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _jpeg(picture):
    image = Image.fromarray(picture)
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    content = io.BytesIO()
    image.save(content, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode("ascii")


def _base64(array, kind):
    little = np.ascontiguousarray(array, np.dtype(kind).newbyteorder("<"))
    return base64.b64encode(little.tobytes()).decode("ascii")
