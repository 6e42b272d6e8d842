"""The weather effects: what each does to the light, and what each draws over the finished picture.

An effect is a file of this folder with one or both of two kernels, and a line for each here: kernels are compiled, so a
list that is read at run time would cost every picture the effects that it does not show.
"""

from __future__ import annotations

from sim.core.kernel import kernel
from sim.render.lighting import lighting
from sim.render.weather.dust import draw_dust, dust_light
from sim.render.weather.rain import draw_rain


@kernel
def weather_light(weather, table):
    """Fill a light table from one world's weather, with all effects.

    Args:
        weather: (14,) float32 in WEATHER_FIELDS order.
        table: (LIGHT_SIZE,) float32, overwritten.
    """
    lighting(weather, table)
    dust_light(weather, table)


@kernel
def draw_effects(o, seed, tick, geometry, horizon, cols, table):
    """Draw all effects of one tick over a finished picture; the arguments are those of every effect.

    Args:
        o: (H, W, 3) uint8, changed.
        seed: of the world; tick: its clock.
        geometry, cols: see `sim.render.camera.CameraRays`; column 2 of `cols` is the headlights' beam.
        horizon: first row that can see the ground.
        table: (LIGHT_SIZE,) float32.
    """
    draw_rain(o, seed, tick, geometry, horizon, cols, table)
    draw_dust(o, seed, tick, geometry, horizon, cols, table)
