"""Keeps the import of TensorFlow quiet: CUDA, oneDNN and end-of-life notices are not for the user.

Commands and their worker processes install it, because they own their process; a library that is
imported must leave the process of others alone.

TensorFlow's C++ side writes to file descriptor 2 before any setting of Python can reach it, so the
descriptor points to a temporary file while the import runs. What was caught is shown if the import
fails. Errors that TensorFlow logs later stay visible.
"""

import contextlib
import importlib.abc
import importlib.machinery
import os
import sys
import tempfile
import warnings

INTERRUPTED = 130  # what shells give a program that Ctrl-C has ended

# The name of the package that is being imported quietly, if any.
_importing: list[str] = []


def install() -> None:
    """Makes the first `import tensorflow` of this process a quiet one, wherever it happens."""
    # Level 2 keeps errors; the remarks of the first op (CPU features, NUMA nodes) are dropped.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    warnings.filterwarnings("ignore", message=r"\s*TensorFlow Addons \(TFA\) has ended")
    if not is_installed():
        sys.meta_path.insert(0, _QuietFinder())


def is_installed() -> bool:
    """Whether `install` was called in this process."""
    return any(isinstance(finder, _QuietFinder) for finder in sys.meta_path)


def leave_on_interrupt(number: int, frame: object) -> None:
    """A handler of Ctrl-C for commands: KeyboardInterrupt, or the end while TensorFlow starts.

    An exception in the middle of that import becomes another one on its way, or a crash.
    """
    if _importing:
        os._exit(INTERRUPTED)
    raise KeyboardInterrupt


class _QuietFinder(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, path=None, target=None):
        if fullname != "tensorflow":
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None:
            spec.loader = _QuietLoader(spec.loader)
        return spec


class _QuietLoader(importlib.abc.Loader):
    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        _importing.append(module.__name__)
        try:
            with _held_back_stderr():
                self._loader.exec_module(module)
                # The search for devices, which happens once, complains where there is no GPU.
                with contextlib.suppress(Exception):
                    module.config.list_physical_devices()
        finally:
            _importing.clear()


@contextlib.contextmanager
def _held_back_stderr():
    with tempfile.TemporaryFile() as caught:
        sys.stderr.flush()
        stderr = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            yield
        except BaseException:
            caught.seek(0)
            os.write(stderr, caught.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
