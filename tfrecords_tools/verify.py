"""Checks records: checksums, schema, values, counts and hashes. Prints what is wrong.

python -m tfrecords_tools.verify DIR

DIR is a folder with records, such as the --data_dir of a conversion, or one data set in it.
The exit code is 0 if all is well, and 1 if anything is not. Records without a manifest, as the
original's programs make them, are checked as far as that goes.
"""

import argparse
import sys

from tfrecords_tools import quiet_import
from tfrecords_tools.plan import ConversionError


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tfrecords_tools.verify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dir", help="folder with records")
    parser.add_argument("--workers", type=int, default=0, help="processes; 0 for one a core")
    options = parser.parse_args()
    quiet_import.install()
    # TensorFlow takes seconds that --help should not.
    from tfrecords_tools.verification import verify

    try:
        report = verify(options.dir, options.workers)
    except (ConversionError, OSError) as error:
        sys.exit(f"Error: {error}")
    print(report)
    sys.exit(1 if report.faults else 0)


if __name__ == "__main__":
    main()
