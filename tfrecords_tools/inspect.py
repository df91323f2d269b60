"""Shows what is in records: a table, and a contact sheet of crops with skeletons.

python -m tfrecords_tools.inspect DIR [--out=contact_sheet.png]

DIR is a folder with records, such as the --data_dir of a conversion, or one data set in it. On the
sheet the person's right side is red and the left side is blue; a skeleton that is mirrored, moved
or scaled shows at a glance.
"""

import argparse
import pathlib

from tfrecords_tools import programs, quiet_import


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tfrecords_tools.inspect",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dir", help="Folder that holds the records.")
    parser.add_argument(
        "--out",
        default="contact_sheet.png",
        help="PNG file to write the contact sheet to (default: %(default)s).",
    )
    parser.add_argument(
        "--samples",
        type=int,
        default=16,
        help="Number of records to draw per data set (default: %(default)s).",
    )
    options = parser.parse_args()
    quiet_import.install()
    # Imported here because TensorFlow takes seconds, which --help should not.
    from tfrecords_tools.inspection import inspect, table, write_sheet

    groups = inspect(options.dir, max(1, options.samples))
    print(table(groups))
    if any(group.schema != "mocap" for group in groups):
        write_sheet(groups, pathlib.Path(options.out))
        print(f"Contact sheet: {options.out}")


if __name__ == "__main__":
    programs.run(main)
