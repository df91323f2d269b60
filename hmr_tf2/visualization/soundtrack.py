"""The sound of a video, copied into the film that is made of it."""

import contextlib
import os
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import av
from absl import logging

# What browsers play in an MP4 file is copied as it is; everything else becomes AAC.
_COPIED = ("aac", "mp3", "opus", "flac")
# The samples per second that AAC has; sound of any other rate is resampled to the last.
_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 64000, 88200, 96000, 48000)
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


class Sound(NamedTuple):
    """The sound of the file at `path`, from `start`, in seconds on the file's own clock."""

    path: str | os.PathLike
    start: float = 0.0


class Soundtrack:
    """Writes the sound of one file to another, piece by piece, as the film grows.

    A sound that is damaged, or of an unknown kind, ends early with a warning.

    Args:
        sound: the sound; the file may have none.
        container: the open MP4 file; nothing may have been written to it yet.
    """

    def __init__(self, sound: Sound, container):
        self._sound = sound
        self._container = container
        self._stack = contextlib.ExitStack()
        self._pieces: Iterator = iter(())
        self._waiting = None

    def __enter__(self) -> "Soundtrack":
        try:
            source = self._stack.enter_context(
                av.open(os.fspath(self._sound.path), metadata_errors="replace")
            )
            if source.streams.audio:
                self._pieces = self._open(source, source.streams.audio[0])
        except (av.error.FFmpegError, ValueError) as error:
            self._give_up(error)
        return self

    def __exit__(self, kind, error, trace) -> None:
        self._stack.close()

    def write_until(self, time: float) -> None:
        """Writes what is heard before `time`, in seconds since the first frame."""
        try:
            self._waiting = self._waiting or next(self._pieces, None)
            while self._waiting is not None and self._waiting[0] < time:
                self._container.mux(self._waiting[1])
                self._waiting = next(self._pieces, None)
        except (av.error.InvalidDataError, ValueError) as error:
            self._give_up(error)

    def _open(self, source, stream) -> Iterator:
        """Adds a stream to the film; returns its packets with their times."""
        if stream.codec_context is None:
            raise ValueError("no decoder is known for its codec")
        packets = _heard(source, stream, Fraction(self._sound.start))
        if stream.codec_context.codec.canonical_name in _COPIED:
            target = self._container.add_stream_from_template(stream)
            return _copied(packets, target)
        rate = stream.codec_context.sample_rate
        rate = rate if rate in _RATES else _RATES[-1]
        layout = _LAYOUTS.get(stream.codec_context.channels, "stereo")
        target = self._container.add_stream("aac", rate=rate, layout=layout)
        return _encoded(packets, target, av.AudioResampler("fltp", layout, rate))

    def _give_up(self, error):
        self._pieces, self._waiting = iter(()), None
        logging.warning(
            "%s: the film lacks its sound, or the end of it: %s.", self._sound.path, error
        )


def _heard(source, stream, start: Fraction) -> Iterator:
    """The packets with the time, in seconds from `start`, at which each is heard.

    Where times go back, as in files that were joined, they go on from the packet before.
    """
    end, offset = None, -start
    for packet in source.demux(stream):
        if not packet.size or packet.pts is None:
            continue
        time = packet.pts * packet.time_base + offset
        if end is not None and time < end - 1:
            offset += end - time
            time = end
        end = time + (packet.duration or 0) * packet.time_base
        yield time, packet


def _copied(packets, target) -> Iterator:
    for time, packet in packets:
        packet.pts = packet.dts = round(time / packet.time_base)
        packet.stream = target
        yield float(time), packet


def _encoded(packets, target, resampler) -> Iterator:
    done = None
    for time, packet in packets:
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            continue
        for frame in (part for whole in frames for part in resampler.resample(whole)):
            done = round(time * frame.sample_rate) if done is None else done
            frame.pts, frame.time_base = done, Fraction(1, frame.sample_rate)
            done += frame.samples
            for piece in target.encode(frame):
                yield float(piece.pts * piece.time_base), piece
    if done is not None:
        for piece in target.encode():
            yield float(piece.pts * piece.time_base), piece
