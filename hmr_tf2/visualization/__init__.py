"""Bodies in pictures and files: the renderer, overlays, pages, mesh and motion files."""
