"""Films for the tests, made by an FFmpeg of their own (imageio-ffmpeg's), which is the oracle."""

import subprocess

import imageio_ffmpeg
import numpy as np


def ffmpeg(*arguments) -> bytes:
    """What the program writes to its output."""
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y"]
    return subprocess.run([*program, *map(str, arguments)], check=True, capture_output=True).stdout


def make_film(path, *options, rate=10, seconds=2, sound=False):
    """Writes a film of FFmpeg's test picture, 64 x 48, and returns its path."""
    inputs = ["-f", "lavfi", "-i", f"testsrc=size=64x48:rate={rate}:duration={seconds}"]
    if sound:
        inputs += ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=44100:duration={seconds}"]
    ffmpeg(*inputs, *options, path)
    return path


def as_ffmpeg_shows(path, size) -> np.ndarray:
    """The frames, uint8 [T, H, W, 3], turned by FFmpeg itself."""
    width, height = size
    raw = ffmpeg(
        "-i", path, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"
    )
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def sound_of(path) -> np.ndarray:
    """The sound as float32 samples, 8,000 a second; empty if there is none."""
    try:
        raw = ffmpeg("-i", path, "-map", "0:a:0", "-f", "f32le", "-ac", "1", "-ar", "8000", "-")
    except subprocess.CalledProcessError:
        return np.zeros(0, np.float32)
    return np.frombuffer(raw, np.float32)
