"""Repairs parts of OpenDRIVE XML in place that CARLA's parser would misread.

Only such parts are changed; a text without them stays as it is, byte for byte.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET


def repair(root: ET.Element) -> bool:
    """Apply every repair to a checked network; returns whether anything was changed."""
    done = [_renumber_junctions(root), _round_spirals(root), _plain_outlines(root)]
    return any(done)


def _renumber_junctions(root: ET.Element) -> bool:
    """Give new ids to junctions that share their id with a road: CARLA would follow links to the road instead."""
    roads = {int(str(r.get("id"))) for r in root.findall("road")}
    junctions = {int(str(j.get("id"))) for j in root.findall("junction")}
    free = max(roads | junctions, default=0) + 1
    new = {str(old): str(free + n) for n, old in enumerate(sorted(roads & junctions))}
    for element in root.iter():
        if element.tag == "junction" and element.get("id") in new:
            element.set("id", new[str(element.get("id"))])
        elif element.tag == "road" and element.get("junction") in new:
            element.set("junction", new[str(element.get("junction"))])
        elif element.get("elementType") == "junction" and element.get("elementId") in new:
            element.set("elementId", new[str(element.get("elementId"))])
    return bool(new)


def _round_spirals(root: ET.Element) -> bool:
    """Replace spirals of constant curvature by arcs or lines: CARLA's positions on such spirals are NaN."""
    done = False
    for geometry in root.iter("geometry"):
        spiral = geometry.find("spiral")
        if spiral is None:
            continue
        try:
            first, last = float(spiral.get("curvStart", "nan")), float(spiral.get("curvEnd", "nan"))
        except ValueError:
            continue
        if math.isfinite(first) and abs(last - first) < 1e-9:
            geometry.remove(spiral)
            if abs(first) < 1e-9:
                ET.SubElement(geometry, "line")
            else:
                ET.SubElement(geometry, "arc", curvature=repr(first))
            done = True
    return done


def _plain_outlines(root: ET.Element) -> bool:
    """Give crosswalks the outline that CARLA reads: directly below the object, in local corners, the first one twice.

    Corners in road coordinates become local ones, which is exact where the road is straight.  An outline with fewer
    than three corners has no area and is removed.
    """
    done = False
    for thing in root.iter("object"):
        if thing.get("type") != "crosswalk":
            continue
        for wrapper in thing.findall("outlines"):
            thing.remove(wrapper)
            thing.extend(wrapper.findall("outline")[:1])
            done = True
        for outline in thing.findall("outline"):
            on_road = outline.findall("cornerRoad")
            for corner in on_road:
                u, v = (float(corner.get(k, "0")) - float(thing.get(k, "0")) for k in ("s", "t"))
                ET.SubElement(outline, "cornerLocal", u=repr(u), v=repr(v), z="0")
                outline.remove(corner)
            if on_road:
                thing.set("hdg", "0")
            corners = outline.findall("cornerLocal")
            if len(corners) < 3:
                thing.remove(outline)
            elif (
                math.dist(*((float(c.get("u", "0")), float(c.get("v", "0"))) for c in (corners[0], corners[-1]))) > 1e-3
            ):
                outline.append(ET.fromstring(ET.tostring(corners[0])))
            else:
                continue
            done = True
    return done
