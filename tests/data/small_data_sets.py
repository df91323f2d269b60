"""Small sets of records, whose numbers show in the grey of a picture or in a shape."""

import numpy as np
import tensorflow as tf

from tfrecords_tools import records


def image_record(value, has_3d=False, **changes):
    """A record of a picture of one grey value."""
    features = dict(
        encoded=tf.io.encode_jpeg(np.full((60, 60, 3), value % 256, np.uint8)).numpy(),
        filename="x.jpg",
        height=60,
        width=60,
        center=(30, 30),
        keypoints=np.tile([[30.0, 30.0, 1.0]], (14, 1)),
    )
    labels = dict(
        joints_m=np.zeros((14, 3)), camera=(1, 2, 3), scale_factors=(1, 1), crop_start=(0, 0)
    )
    if has_3d:
        return records.image_3d_example(**features | labels | changes)
    return records.image_example(**features | changes)


def write_records(path, examples):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for example in examples:
            writer.write(example)


def write_data_sets(folder):
    """Five LSP (0 to 80), three 3DHP (150 to 210), two COCO (100, 110), seven CMU records."""
    lsp = [image_record(20 * i) for i in range(5)]
    write_records(folder / "lsp/train_000.tfrecord", lsp[:2])
    write_records(folder / "lsp/train_001.tfrecord", lsp[2:])
    write_records(
        folder / "coco/train_0000_wmeta.tfrecord", [image_record(100), image_record(110)]
    )
    write_records(
        folder / "mpi_inf_3dhp/train/train_0000.tfrecord",
        [image_record(150 + 30 * i, has_3d=True) for i in range(3)],
    )
    write_records(
        folder / "mocap_neutrMosh/neutrSMPL_CMU_000.tfrecord",
        [records.mocap_example(np.zeros(72), np.full(10, float(i))) for i in range(7)],
    )
    return folder
