"""Assets of the renderer: textures, figures of pedestrians and cyclists, meshes, sign art."""
