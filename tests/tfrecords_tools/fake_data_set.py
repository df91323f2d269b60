"""A made-up data set for the tests of the writer: quick to read, with skips and faults.

As a program, `fake_data_set.py DATA_DIR SECONDS WORKERS` converts it, taking SECONDS an item.
"""

import contextlib
import functools
import pathlib
import sys
import time

from tfrecords_tools.plan import Converted, Items, Plan, Skip

NUM_ITEMS = 60


def read(seconds: float, item: int) -> Converted:
    """Up to three records of an item; every seventh is left out, every 31st is damaged."""
    time.sleep(seconds)
    if item % 7 == 6:
        return Converted(skipped=[Skip("seventh", f"item {item}", is_fault=False)])
    if item % 31 == 30:
        return Converted(skipped=[Skip("damaged", f"item {item}")])
    return Converted([b"item %d record %d " % (item, k) * 20 for k in range(1 + item % 3)])


def plan(seconds: float = 0.0, num_items: int = NUM_ITEMS, **changes) -> Plan:
    """The plan of the data set; `changes` replace its attributes."""
    per_shard = changes.pop("examples_per_shard", 8)
    values = {
        "name": "fake/train",
        "schema": "image",
        "shards": "fake/train_%03d.tfrecord",
        "open_items": lambda: contextlib.nullcontext(Items(range(num_items), {"by plan": 2})),
        "read": functools.partial(read, seconds),
        "settings": {"examples_per_shard": per_shard},
        "examples_per_shard": per_shard,
        "items_at_once": 2,
    }
    return Plan(**{**values, **changes})


def main(data_dir: str, seconds: str, workers: str) -> None:
    from tfrecords_tools import writer
    from tfrecords_tools.pool import Workers

    with Workers(int(workers)) as pool:
        writer.write(plan(float(seconds)), pathlib.Path(data_dir), pool, max_skipped=0.1)


if __name__ == "__main__":
    main(*sys.argv[1:])
