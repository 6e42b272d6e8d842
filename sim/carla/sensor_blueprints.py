"""The blueprints of sensors, with CARLA's names and defaults of their attributes.

Attributes that only Unreal's lenses and post-processing use are accepted without effect. `rain_seed` is ours: a
picture's rain is drawn from it and from the ticks since the camera's first.
"""

from __future__ import annotations

from sim.carla.blueprints import BOOL, FLOAT, INT, STRING, Attribute, Blueprint

_TICK = Attribute("sensor_tick", FLOAT, "0.0")
_SEED = Attribute("noise_seed", INT, "0")


def _role(name: str) -> Attribute:
    return Attribute("role_name", STRING, name)


def _numbers(**defaults: float | int) -> tuple[Attribute, ...]:
    return tuple(Attribute(n, INT if isinstance(v, int) else FLOAT, str(v)) for n, v in defaults.items())


def _noises(names: tuple[str, ...], ends: tuple[str, ...]) -> tuple[Attribute, ...]:
    return tuple(Attribute(f"noise_{name}_{end}", FLOAT, "0.0") for name in names for end in ends)


_LENS = _numbers(
    lens_circle_falloff=5.0, lens_circle_multiplier=0.0, lens_k=-1.0, lens_kcube=0.0, lens_x_size=0.08, lens_y_size=0.08
)
# Of colour cameras alone, without effect.
_EFFECTS = (
    Attribute("enable_postprocess_effects", BOOL, "true"), Attribute("exposure_mode", STRING, "histogram"),
    *_numbers(
        bloom_intensity=0.675, fstop=1.4, iso=100.0, gamma=2.2, lens_flare_intensity=0.1, shutter_speed=200.0,
        min_fstop=1.2, blade_count=5, exposure_compensation=0.0, exposure_min_bright=10.0, exposure_max_bright=12.0,
        exposure_speed_up=3.0, exposure_speed_down=1.0, calibration_constant=16.0, focal_distance=1000.0,
        blur_amount=1.0, blur_radius=0.0, motion_blur_intensity=0.45, motion_blur_max_distortion=0.35,
        motion_blur_min_object_screen_size=0.1, slope=0.88, toe=0.55, shoulder=0.26, black_clip=0.0, white_clip=0.04,
        temp=6500.0, tint=0.0, chromatic_aberration_intensity=0.0, chromatic_aberration_offset=0.0,
    ),
)  # fmt: skip


def _camera(name: str, *more: Attribute) -> Blueprint:
    size = (*_numbers(image_size_x=800, image_size_y=600, fov=90.0), _TICK)
    return Blueprint(f"sensor.camera.{name}", "", (*size, *_LENS, *more, _role("front")))


def _lidar(name: str, *more: Attribute) -> Blueprint:
    turning = _numbers(
        channels=32, range=10.0, points_per_second=56000, rotation_frequency=10.0, upper_fov=10.0, lower_fov=-30.0,
        horizontal_fov=360.0,
    )  # fmt: skip
    return Blueprint(f"sensor.lidar.{name}", "", (*turning, *more, _TICK, _role("lidar")))


def _other(name: str, *more: Attribute) -> Blueprint:
    return Blueprint(f"sensor.other.{name}", "", (*more, _role("front")))


SENSOR_BLUEPRINTS: tuple[Blueprint, ...] = (
    _camera("rgb", Attribute("rain_seed", INT, "0"), *_EFFECTS),
    _camera("depth"),
    _camera("semantic_segmentation"),
    _camera("instance_segmentation"),
    _camera("optical_flow"),
    # these two have no implementation; programs look them up when they start, and few ever spawn one
    _camera("dvs"),
    _camera("normals"),
    _lidar(
        "ray_cast",
        *_numbers(
            atmosphere_attenuation_rate=0.004, dropoff_general_rate=0.45, dropoff_intensity_limit=0.8,
            dropoff_zero_intensity=0.4, noise_stddev=0.0,
        ),
        _SEED,
    ),
    _lidar("ray_cast_semantic"),
    _other("radar", *_numbers(horizontal_fov=30.0, vertical_fov=30.0, points_per_second=1500, range=100.0), _TICK,
           _SEED),
    _other("gnss", *_noises(("alt", "lat", "lon"), ("bias", "stddev")), _SEED, _TICK),
    _other("imu", *_noises(("accel_stddev", "gyro_bias", "gyro_stddev"), ("x", "y", "z")), _SEED, _TICK),
    _other("obstacle", *_numbers(distance=5.0, hit_radius=0.5), Attribute("only_dynamics", BOOL, "false"),
           Attribute("debug_linetrace", BOOL, "false"), _TICK),
    _other("collision"),
    _other("lane_invasion"),
)  # fmt: skip
