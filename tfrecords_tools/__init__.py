"""From raw data sets to TFRecords: readers, record schema, shard writer. Knows no model."""

from tfrecords_tools import quiet_import

quiet_import.install()
