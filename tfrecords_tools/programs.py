"""How the small programs of this package end: a message for a mistake, an exit code for Ctrl-C."""

import signal
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

from tfrecords_tools import interrupts, quiet_import, system_errors


def run(main: Callable[[], None]) -> None:
    """Calls `main`; a ValueError or OSError in it becomes one message and exit code 1."""
    heed_interrupts()
    try:
        main()
    except KeyboardInterrupt:
        leave_interrupted()
    except (ValueError, OSError) as error:
        sys.exit(f"Error: {system_errors.sentence(error)}")


def heed_interrupts() -> None:
    """From now on Ctrl-C ends the program, whatever it is doing."""
    if threading.current_thread() is threading.main_thread():  # others may set no handler
        signal.signal(signal.SIGINT, quiet_import.leave_on_interrupt)
    interrupts.heed_all()


def leave_interrupted() -> NoReturn:
    """Ends the program as one that Ctrl-C has ended."""
    print("\nInterrupted.", file=sys.stderr)
    sys.exit(quiet_import.INTERRUPTED)
