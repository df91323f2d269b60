"""Lets SIGTERM and Ctrl-C end a run between two steps, after it has been saved."""

import signal
import threading

from absl import logging


class TrainingStopped(Exception):
    """The run was asked to stop, and has been saved."""


class StopSignals:
    """Within it, SIGTERM and Ctrl-C are noted instead of ending the program at once.

    A second signal interrupts.

    Attributes:
        received: name of the signal that came, or None.
    """

    def __init__(self):
        self.received: str | None = None
        self._before = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number, frame):
        if self.received:
            raise KeyboardInterrupt
        self.received = signal.Signals(number).name
        logging.info("%s: stopping after this step; a second one stops at once.", self.received)
