"""Procedural scenery behind and in front of people. No photograph is involved."""

import cv2
import numpy as np

_GRAIN = 131  # the noise repeats after this many pixels, which nobody notices


def background(
    rng: np.random.Generator, height: int, width: int, clutter: float = 1.0
) -> np.ndarray:
    """uint8 [height, width, 3]: a wall and a floor, clouds of colour, and some simple objects.

    `clutter` from 0 (only the wall and the floor) to 1 says how much of the rest there may be.
    """
    # Painted small and enlarged: nothing behind a person needs sharp pixels everywhere.
    scale = max(1.0, max(height, width) / 160)
    h, w = int(np.ceil(height / scale)), int(np.ceil(width / scale))
    picture = _wall_and_floor(rng, h, w)
    busy = clutter * rng.beta(1.0, 2.0)
    for cells, strength in ((3, 40), (9, 28), (30, 20)):
        picture += (0.1 * clutter + busy * rng.random()) * strength * _clouds(rng, h, w, cells)
    picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    for _ in range(int(clutter * rng.integers(0, 9))):
        _thing(rng, picture)
    return picture


def occlude(rng: np.random.Generator, image: np.ndarray, box) -> np.ndarray:
    """Puts an object in front of a part of `box` (x0, y0, x1, y1) in pixels, in place.

    Returns:
        bool [H, W]: the pixels that it hides.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    size = np.array([x1 - x0, y1 - y0]) * rng.uniform(0.15, 0.55, 2)
    centre = np.array([rng.uniform(x0, x1), rng.uniform(y0, y1)])
    if rng.random() < 0.35:  # a table or a wall that rises from below
        centre[1], size[1] = y1, (y1 - y0) * rng.uniform(0.2, 0.9)
    mask = np.zeros((height, width), np.uint8)
    if rng.random() < 0.5:
        corners = cv2.boxPoints((tuple(centre), tuple(size), float(rng.uniform(-25, 25))))
        cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 1)
    else:
        cv2.ellipse(mask, (tuple(centre), tuple(size), float(rng.uniform(0, 180))), 1, -1)
    hidden = mask > 0
    rows, columns = np.flatnonzero(hidden.any(1)), np.flatnonzero(hidden.any(0))
    if len(rows):
        part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        texture = _texture(rng, *hidden[part].shape)
        image[part] = np.where(hidden[part][..., None], texture, image[part])
    return hidden


def cast_shadow(image: np.ndarray, outline_px: np.ndarray, darkness: float) -> np.ndarray:
    """`image` with the soft shadow of what stands on `outline_px` [N, 2] on the floor."""
    outline = np.round(np.clip(outline_px, -1e4, 1e4)).astype(np.int32)
    width = max(3, int(np.ptp(outline[:, 0]) / 4)) // 2 * 2 + 1
    # Only what the shadow reaches is worked on.
    x0, y0 = np.maximum(outline.min(0) - width, 0)
    x1, y1 = np.maximum(outline.max(0) + width + 1, 0)
    image = image.copy()
    part = image[y0:y1, x0:x1]
    if part.size:
        mask = np.zeros(part.shape[:2], np.float32)
        cv2.fillConvexPoly(mask, outline - np.array([x0, y0], np.int32), float(darkness))
        light = 1 - cv2.blur(mask, (width, width))
        part[:] = cv2.multiply(part, cv2.merge([light] * 3), dtype=cv2.CV_8U)
    return image


def degrade(rng: np.random.Generator, image: np.ndarray, amount: float = 1.0) -> np.ndarray:
    """Exposure, blur and noise of a camera; `amount` from 0 (exposure only) to 1."""
    picture = image
    if rng.random() < 0.4 * amount:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.3))
    gain, offset = rng.uniform(0.75, 1.2), rng.uniform(-15, 15)
    picture = cv2.convertScaleAbs(picture, alpha=gain, beta=max(offset, 0.0))
    if rng.random() < 0.6 * amount:
        tile = rng.standard_normal((_GRAIN, _GRAIN), dtype=np.float32) * rng.uniform(1, 7)
        height, width = picture.shape[:2]
        grain = np.tile(tile, (height // _GRAIN + 1, width // _GRAIN + 1))[:height, :width]
        picture = cv2.add(picture, cv2.merge([grain] * 3), dtype=cv2.CV_8U)
    return picture


def jpeg(rng: np.random.Generator, image: np.ndarray) -> bytes:
    """`image` (RGB) as a JPEG of everyday quality."""
    return encode_jpeg(image, int(rng.integers(78, 96)))


def encode_jpeg(image: np.ndarray, quality: int) -> bytes:
    """`image` (RGB) as a JPEG file's bytes."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise OSError(f"OpenCV could not encode a picture of shape {list(image.shape)}.")
    return data.tobytes()


def _wall_and_floor(rng, h, w):
    wall, floor = _muted(rng), _muted(rng)
    horizon = rng.uniform(0.45, 0.95) * h
    slant = rng.normal(0, 0.04)
    rows = np.arange(h)[:, None] - horizon + slant * np.arange(w)
    below = np.clip(rows / 1.5 + 0.5, 0, 1)
    fade = 1 + rng.normal(0, 0.25) * (rows / h)
    shares = np.stack([(1 - below) * fade, below * fade], axis=2).astype(np.float32)
    return cv2.transform(shares, np.column_stack([wall, floor]).astype(np.float32))


def _muted(rng):
    """A colour from 0 to 255 as in rooms and streets: mostly with little saturation."""
    color, grey = rng.uniform(10, 245, 3), rng.uniform(15, 240)
    return np.clip(grey + rng.beta(1.0, 2.5) * (color - grey), 0, 255)


def _clouds(rng, h, w, cells):
    grid = rng.standard_normal((cells, max(2, cells * w // h), 3), dtype=np.float32)
    if rng.random() < 0.75:
        grid = grid[..., :1].repeat(3, axis=2)
    else:
        grid = 0.5 * (grid + grid[..., :1])
    return cv2.resize(grid, (w, h), interpolation=cv2.INTER_CUBIC)


def _thing(rng, picture):
    """A door, picture, lamp, pole, box or plant, of which only the outline is drawn."""
    height, width = picture.shape[:2]
    color = tuple(float(q) for q in _muted(rng))
    x, y = (int(q) for q in rng.uniform(0, [width, height]))
    w, h = (int(q) for q in rng.uniform(0.04, 0.35, 2) * [width, height])
    kind = rng.integers(4)
    if kind == 0:
        cv2.rectangle(picture, (x, y), (x + w, y + h), color, -1)
    elif kind == 1:
        turn = float(rng.uniform(0, 90))
        cv2.ellipse(picture, ((x, y), (w + 2, h + 2), turn), color, -1, cv2.LINE_AA)
    elif kind == 2:
        thick = int(rng.integers(1, max(3, width // 30)))
        cv2.line(picture, (x, -5), (x + w - h, height + 5), color, thick, cv2.LINE_AA)
    else:
        cv2.rectangle(picture, (x, y), (x + w, y + h), color, int(rng.integers(1, 6)))


def _texture(rng, h, w):
    base = _muted(rng).astype(np.float32)
    shade = 30 * rng.standard_normal((4, 4), dtype=np.float32)
    if rng.random() < 0.4:
        stripes = 40 * np.sin(np.arange(48, dtype=np.float32) * rng.uniform(0.4, 1.6))
        shade = cv2.resize(shade, (16, 48)) + stripes[:, None]
    shade = cv2.resize(shade.astype(np.float32), (w, h), interpolation=cv2.INTER_LINEAR)
    return np.clip(base + shade[..., None], 0, 255).astype(np.uint8)
