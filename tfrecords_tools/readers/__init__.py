"""One module per data set: where its people are, and what a record of each holds."""
