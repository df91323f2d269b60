"""People in pictures and videos to bodies in files."""
