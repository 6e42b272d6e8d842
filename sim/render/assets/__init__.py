"""Assets of the renderer: textures, figures, meshes, signs."""
