"""What a run says, kept in its folder."""

import contextlib
import logging as python_logging
import os
import pathlib
from collections.abc import Iterator

FILE = "train.log"


@contextlib.contextmanager
def log_to(model_dir: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Meanwhile, appends to `train.log` what is logged, and the error that ends it, if any.

    Args:
        model_dir: exists.
    """
    path = pathlib.Path(model_dir, FILE)
    handler = python_logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(python_logging.Formatter("%(asctime)s %(message)s"))
    root = python_logging.getLogger()
    root.addHandler(handler)
    try:
        yield path
    except BaseException as error:
        record = root.makeRecord(
            root.name, python_logging.ERROR, __file__, 0, "Ended by %s: %s",
            (type(error).__name__, error), (type(error), error, error.__traceback__),
        )
        handler.handle(record)
        raise
    finally:
        root.removeHandler(handler)
        handler.close()
