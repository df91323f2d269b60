"""Converts raw data sets to the TFRecords that the trainer reads.

python -m hmr_tf2.convert_datasets --datasets=lsp,mosh --lsp_dir=RAW/lsp_dataset \\
    --mosh_dir=RAW/neutrMosh --data_dir=DATA

If it was killed or stopped, the same command continues; what is complete is left alone.
docs/data.md says where to get each data set. `python -m tfrecords_tools.verify DATA` checks the
records.
"""

from hmr_tf2 import commands
from tfrecords_tools.convert_settings import ConvertSettings


def main(settings: ConvertSettings) -> None:
    from tfrecords_tools.convert import convert  # TensorFlow takes seconds that --help should not

    print(convert(settings))


def program() -> None:
    """The program `hmr-convert`."""
    commands.run(main, ConvertSettings, __doc__)


if __name__ == "__main__":
    program()
