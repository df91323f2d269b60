"""A Ctrl-C that Python forgets is given once more.

Python cannot raise an exception from a `__del__` or from a callback of the garbage collector: it
prints "Exception ignored in" and goes on, even if that exception was Ctrl-C. TensorFlow waits in
such a `__del__` after each batch that is read, which lost one Ctrl-C in twenty.
"""

import _thread
import contextlib
import functools
import signal
import sys
import threading
from typing import cast

# Long enough for what is being deleted to be gone, and too short to be noticed.
_SECONDS = 0.05


@functools.cache
def heed_all() -> None:
    """From now on, the main thread gets every Ctrl-C; where it was forgotten, a moment later."""
    others = sys.unraisablehook

    def give_again(unraisable: "sys.UnraisableHookArgs") -> None:
        if unraisable.exc_type is not KeyboardInterrupt:
            others(unraisable)
            return
        timer = threading.Timer(_SECONDS, _interrupt_main_thread)
        timer.daemon = True
        with contextlib.suppress(RuntimeError):  # Python is ending, as Ctrl-C asks for
            timer.start()

    sys.unraisablehook = give_again


def _interrupt_main_thread() -> None:
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:
        # To the thread, so that it wakes up from what it may be waiting for.
        signal.pthread_kill(cast(int, threading.main_thread().ident), signal.SIGINT)
