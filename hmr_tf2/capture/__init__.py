"""From people in pictures and videos to bodies in files."""
