"""Checks records: checksums, schema, values, counts and hashes; prints what is wrong.

python -m tfrecords_tools.verify DIR

DIR is a folder with records, such as the --data_dir of a conversion, or one data set in it.
The exit code is 0 if all is well, and 1 if anything is not. Records without a manifest, such as
those that the original's programs made, are checked as far as possible.
"""

import argparse
import sys

from tfrecords_tools import programs, quiet_import


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tfrecords_tools.verify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dir", help="Folder that holds the records.")
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        help="Number of worker processes; 0, the default, starts one per core.",
    )
    options = parser.parse_args()
    quiet_import.install()
    # Imported here because TensorFlow takes seconds, which --help should not.
    from tfrecords_tools.verification import verify

    report = verify(options.dir, options.workers)
    print(report)
    sys.exit(1 if report.faults else 0)


if __name__ == "__main__":
    programs.run(main)
