"""Sign: a slot with a sign or board; `sim.actors.signs` has the designs, `sim.render.signs` draws them."""

from __future__ import annotations

from sim.actors.base import ActorKind, OpenScenario, register

SIGN = register(
    ActorKind(
        "sign",
        16,
        "TrafficSign",
        stops_traffic=False,
        mass=30.0,
        openscenario=OpenScenario("MiscObject", "pole", "static.prop.streetsign"),
    )
)
