"""The declaration of a kind of actor or scenery, and the register that the files of `sim/actors/kinds` enter.

`sim.actors.registry` imports these files and compiles tables from the declarations. The mesh of a kind is declared in
`sim/render/assets/actors`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Vehicle:
    """Size and limits of an actor's body.

    Args:
        length, width, height: of the box [m].
        wheelbase: between the axles; overhang: rear axle to rear bumper [m].
        max_steer: front wheel angle [rad]; steer_rate: how fast it turns [rad/s].
        max_acceleration, max_braking: [m/s^2], both positive; max_speed [m/s].
        max_reverse_speed: backwards [m/s], positive.
        lag: time constant with which engine and brakes follow the requested acceleration [s]. 0.1 is
            scenario_simulator_v2's default for a car (its DELAY_STEER_ACC model, acc_time_constant).
    """

    length: float = 4.4
    width: float = 1.82
    height: float = 1.5
    wheelbase: float = 2.65
    overhang: float = 0.85
    max_steer: float = 0.6
    steer_rate: float = 1.6
    max_acceleration: float = 3.0
    max_braking: float = 7.0
    max_speed: float = 20.0
    max_reverse_speed: float = 5.0
    lag: float = 0.1


class Solid(NamedTuple):
    """A solid that rays and lidars hit: a box in shares of the kind's length, width and height.

    Args:
        x0, x1, y0, y1: from -1/2 to 1/2. z0, z1: from 0 to 1.
        round: 1 for a cylinder about the middle, whose radius is y1 times the width.
    """

    x0: float = -0.5
    x1: float = 0.5
    y0: float = -0.5
    y1: float = 0.5
    z0: float = 0.0
    z1: float = 1.0
    round: float = 0.0


WHOLE = Solid()  # the whole box


class Length(NamedTuple):
    """A length in a shadow: a share of the object's own, and metres added to it."""

    share: float = 1.0
    metres: float = 0.0


OWN, NONE = Length(), Length(0.0)


@dataclass(frozen=True)
class Shadow:
    """The sun's shadow on the ground: that of one or two upright boxes, the lower and the upper part of an object.

    Args:
        length, width: of the base.
        low, high: heights of the tops of the lower and of the upper part, as shares of the height; high 0: one part.
        upper_length, upper_width: of the upper part.
        back: distance of the upper part behind the middle, as a share of the length.
        pole: whether the object is seen as its pole when its shadow is judged too small to draw.
    """

    length: Length = OWN
    width: Length = OWN
    low: float = 1.0
    high: float = 0.0
    upper_length: Length = NONE
    upper_width: Length = NONE
    back: float = 0.0
    pole: bool = False


@dataclass(frozen=True)
class LaneTraffic:
    """How background traffic drives a kind in lanes.

    Args:
        top_speed: highest desired speed [m/s]. offset: from the lane's centre to the left [m], below 0 to the right.
    """

    top_speed: float
    offset: float = 0.0


@dataclass(frozen=True)
class Carla:
    """CARLA's blueprints of a kind.

    Args:
        blueprint: the one that stands for the kind.
        models: vehicle id without `vehicle.` -> base_type, generation, special_type: all vehicles of CARLA that have
            this body in `dagger serve`.
        props: prop id without `static.prop.` -> colour "r,g,b": all props of CARLA that have this body.
        substitute: the blueprint that stands for the kind on a server without `blueprint`; "" for none.
    """

    blueprint: str
    models: tuple[tuple[str, tuple[str, int, str]], ...] = ()
    props: tuple[tuple[str, str], ...] = ()
    substitute: str = ""


class OpenScenario(NamedTuple):
    """OpenSCENARIO's element and category for a kind, and the CARLA blueprint that players of the file spawn for it."""

    element: str
    category: str
    model: str


@dataclass(frozen=True)
class ActorKind:
    """The declaration of a kind of actor or scenery.

    Args:
        name: as scenario files write it.
        number: of it in arrays. Numbers are stored: a new kind takes the next one, and none ever changes.
        tag: CARLA's semantic tag, one of `sim.actors.tags.TAGS`.
        body: size and limits; None for scenery and signs, which bring a size for each object.
        drives: whether it is a vehicle: it may turn at junctions, tailgate, and be spawned with pedals in CARLA.
        collides: whether what hits it has a collision; a ball rolls away.
        stops_traffic: whether background traffic brakes for it, where it follows no lane.
        lane_traffic: how background traffic drives it; None where that never does.
        solids: one or two shapes that rays and lidars hit.
        trunk: length and width of what a car can collide with, where that is less than its box [m].
        shadow: in the sun. contact_shadow: "wide" as under a car, "narrow" as under a walker, "" for none.
        marker: the form in top-down views, one of `sim.viz.markers.MARKERS`; of scenery "block", "gable", "crown" or
            "" for none.
        mass: [kg]; wheel: radius of a wheel [m].
        carla, openscenario: its counterparts there; None where it has none.
    """

    name: str
    number: int
    tag: str
    body: Vehicle | None = None
    drives: bool = False
    collides: bool = True
    stops_traffic: bool = True
    lane_traffic: LaneTraffic | None = None
    solids: tuple[Solid, ...] = (WHOLE,)
    trunk: tuple[float, float] | None = None
    shadow: Shadow = Shadow()
    contact_shadow: str = ""
    marker: str = "vehicle"
    mass: float = 20.0
    wheel: float = 0.33
    carla: Carla | None = None
    openscenario: OpenScenario | None = None


DECLARED: dict[str, ActorKind] = {}  # filled by `register`


def register(kind: ActorKind) -> ActorKind:
    """Enter a kind in the register.

    Raises:
        ValueError: for a name or a number that is taken, more than two solids, and an unknown contact shadow.
    """
    for other in DECLARED.values():
        if other.name == kind.name or other.number == kind.number:
            raise ValueError(
                f"the kind {kind.name!r} has the number {kind.number}; {other.name!r} has {other.number} already"
            )
    if not 1 <= len(kind.solids) <= 2:
        raise ValueError(f"the kind {kind.name!r} has {len(kind.solids)} solids; wanted one or two")
    if kind.contact_shadow not in ("", "narrow", "wide"):
        raise ValueError(
            f"the kind {kind.name!r} has the contact shadow {kind.contact_shadow!r}; known are narrow, wide and ''"
        )
    if kind.drives and kind.body is None:
        raise ValueError(f"the kind {kind.name!r} drives and has no body; wanted a Vehicle")
    DECLARED[kind.name] = kind
    return kind
