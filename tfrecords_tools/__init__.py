"""From raw data sets to TFRecords: readers, record schema, shard writer. Knows no model."""
