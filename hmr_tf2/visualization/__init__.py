"""Pictures of bodies: the renderer, overlays and mesh files."""
