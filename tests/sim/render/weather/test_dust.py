"""Dust storms: what they hide, the colour of their light, and the wisps that blow past."""

from __future__ import annotations

import numpy as np
import pytest

from sim.datatypes.camera import Camera
from sim.datatypes.episode import Weather
from sim.render import lighting as wx
from sim.render.rgb import CameraRays, camera_rays
from sim.render.weather.dust import draw_dust
from sim.render.weather.effects import weather_light

VIEW = camera_rays(Camera())
HIGH, WIDE = VIEW.rows.shape[0], VIEW.cols.shape[1]


def light(**fields: float) -> np.ndarray:
    table = np.zeros(wx.LIGHT_SIZE, np.float32)
    weather_light(Weather(**fields).array(), table)
    return table


def wisps(table: np.ndarray, tick: int, seed: int = 5, view: CameraRays = VIEW) -> np.ndarray:
    """The wisps alone, over a black picture; (H, W) of their red."""
    picture = np.zeros((HIGH, WIDE, 3), np.uint8)
    draw_dust(picture, np.uint32(seed), np.int32(tick), view.geometry, view.horizon, view.cols, table)
    return picture[..., 0].astype(float)


@pytest.mark.parametrize("fields", [{}, {"precipitation": 80.0}, {"fog_density": 60.0}, {"sun_altitude_angle": -15.0}])
def test_without_dust_the_light_is_that_of_the_other_weather(fields: dict[str, float]) -> None:
    plain = np.zeros(wx.LIGHT_SIZE, np.float32)
    wx.lighting(Weather(**fields).array(), plain)
    plain[wx.DUST] = 0.0
    assert light(**fields).tobytes() == plain.tobytes()
    assert not wisps(light(**fields), 3).any()


def test_a_full_storm_leaves_a_twentieth_of_the_contrast_at_55_m() -> None:
    clear, storm = light(), light(dust_storm=100.0)
    added = float(storm[wx.FOG_RATE] - clear[wx.FOG_RATE])
    assert np.exp(-added * 55.0) == pytest.approx(0.05, abs=0.005)
    rates = [light(dust_storm=d)[wx.FOG_RATE] for d in (0.0, 10.0, 40.0, 70.0, 100.0)]
    assert (np.diff(rates) > 0).all()


def test_light_in_dust_is_yellow_and_its_shadows_are_faint() -> None:
    clear, storm = light(sun_altitude_angle=50.0), light(sun_altitude_angle=50.0, dust_storm=80.0)
    for colour in (wx.FLAT, wx.ZENITH, wx.HORIZON, wx.FOG):
        red, green, blue = storm[colour : colour + 3]
        assert red > green > blue
    assert storm[wx.SHADE] < 0.4 * clear[wx.SHADE]
    assert storm[wx.ZENITH + 2] < clear[wx.ZENITH + 2]


def test_headlights_are_on_in_a_storm_by_day() -> None:
    assert light(dust_storm=80.0)[wx.NIGHT] > 0.5
    assert light(dust_storm=10.0)[wx.NIGHT] == light()[wx.NIGHT]


def test_wisps_move_on_from_tick_to_tick_and_faster_in_more_wind() -> None:
    def shift(wind: float) -> int:
        """The shift [px] that makes a tick's wisps most like those of the tick before."""
        table = light(dust_storm=100.0, wind_intensity=wind)
        before, after = wisps(table, 10), wisps(table, 11)
        alike = [(before[:, : WIDE - s] * after[:, s:]).sum() for s in range(12)]
        return int(np.argmax(alike))

    calm, windy = shift(0.0), shift(100.0)
    assert 1 <= calm < windy


def test_wisps_are_the_same_when_drawn_again_and_differ_between_worlds() -> None:
    table = light(dust_storm=60.0)
    assert (wisps(table, 4) == wisps(table, 4)).all()
    assert (wisps(table, 4, seed=5) != wisps(table, 4, seed=6)).any()


def test_wisps_at_night_are_seen_in_the_headlights_beam() -> None:
    by_day, by_night = light(dust_storm=100.0), light(dust_storm=100.0, sun_altitude_angle=-15.0)
    total = [sum(wisps(table, tick).mean(0) for tick in range(60)) for table in (by_day, by_night)]
    beam = VIEW.cols[2]
    middle, side = beam > 0.7 * beam.max(), beam < 0.2 * beam.max()
    assert middle.any() and side.any()
    assert total[1].mean() < 0.7 * total[0].mean()
    assert total[1][middle].mean() / total[0][middle].mean() > 1.5 * total[1][side].mean() / total[0][side].mean()


def test_a_camera_that_looks_down_sees_few_wisps() -> None:
    table = light(dust_storm=100.0)
    level, steep, down = (
        sum((wisps(table, tick, view=camera_rays(Camera(pitch=pitch))) > 0).mean() for tick in range(20))
        for pitch in (0.0, -60.0, -90.0)
    )
    assert 0.0 < down < 0.4 * level
    assert down < steep < level
