"""Numbers of variants of objects (styles, sides, poses), and flags of faces."""

from __future__ import annotations

STYLES = 3  # variants of each kind of scenery
WALKER_SIDES, RIDER_SIDES = 8, 16  # directions from which walkers and cyclists are drawn
OUTFITS, POSES, PEDALS = 3, 4, 2  # clothes and poses of walkers, pedal phases of cyclists
TWO_SIDED, FACING, MIRRORED, THIN = 1, 2, 4, 8  # flags of a face
