"""How the small programs of this package end: a message for a mistake, an exit code for Ctrl-C."""

import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from tfrecords_tools import interrupts, quiet_import, system_errors


def run(main: Callable[[], None]) -> None:
    """Calls `main`; a ValueError or OSError in it becomes one message and exit code 1."""
    signal.signal(signal.SIGINT, quiet_import.leave_on_interrupt)
    interrupts.heed_all()
    try:
        main()
    except KeyboardInterrupt:
        leave_interrupted()
    except (ValueError, OSError) as error:
        sys.exit(f"Error: {system_errors.sentence(error)}")


def leave_interrupted() -> NoReturn:
    """Ends the program as one that Ctrl-C has ended."""
    print("\nInterrupted.", file=sys.stderr)
    sys.exit(quiet_import.INTERRUPTED)
