"""Writers of raw data sets: stand-in people in the files and folders of the real ones."""
