"""`dagger film recording`: renders a recording of a `dagger serve` client, from behind a car and from above."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from dagger.commands.film import counted, read_size
from dagger.console import Bars
from dagger.options import UsageError

LONGEST = 100.0  # most frames per second of a video


@dataclass(frozen=True)
class Options:
    """Render a video of a recording that `client.start_recorder(name)` made on `dagger serve`, with its debug drawings.

    Args:
        recording: name of the recording, or a path to it; without one, the recordings on this machine are listed.
        out: video file to write, in H.264; a name that ends in .mp4. By default the recording's name, in the current
            folder.
        follow: actor that the camera follows: an id, a role or a blueprint. By default a hero, else the first vehicle,
            else the first actor with a body; "none" shows the whole map from above.
        size: width and height of the large picture [px], from 320x180 to 3840x2160.
        span: width of the map beside it [m], 5 to 5000.
        config: YAML file with these options; flags on the command line override it.
    """

    recording: tyro.conf.Positional[str] = ""
    out: Path | None = None
    follow: str = ""
    size: str = "640x360"
    span: float = 90.0
    config: Path | None = None

    def __post_init__(self) -> None:
        """Refuse a span outside 5 to 5000 m."""
        if not 5.0 <= self.span <= 5000.0:
            raise UsageError(f"--span was given {self.span:g}; wanted 5 to 5000 metres")


def main(options: Options) -> int:
    """Render the video, and print the file's path."""
    from sim.carla.server.recording.recorder import folder, lines_of, recording_named
    from sim.carla.server.recording.replay import Replay, actors_of, followed
    from sim.carla.server.recording.video import Shot, film
    from sim.carla.server.rpc import Refused
    from sim.viz.video import write_film

    if not options.recording:
        for file in sorted(folder().glob("*")):
            print(f"{file.name}  ({file.stat().st_size / 1e6:.1f} MB)")
        return 0
    width, height = read_size(options.size)
    path = Path(options.recording)
    out = options.out or Path(f"{path.stem}.mp4")
    if out.suffix != ".mp4":
        raise UsageError(f"--out was given '{out}'; wanted a name that ends in .mp4")
    try:
        path = path if path.is_file() else recording_named(options.recording)
    except Refused as error:
        raise UsageError(f"{error}, and there is no such file") from error
    try:
        who = followed(actors_of(lines_of(path)), options.follow)
    except ValueError as error:
        raise UsageError(f"--follow: {error}" if options.follow else str(error)) from error
    playback = Replay(lines_of(path))
    shot = Shot(f"{path.name} · {playback.road_map.name}", who, width, height, options.span)
    fps = round(min(max(1.0 / playback.tick, 1.0), LONGEST))
    with Bars() as bars:
        bars.stage(f"filming {path.name}", sum("frame" in line for line in lines_of(path)))
        out.parent.mkdir(parents=True, exist_ok=True)
        count = write_film(out, counted(film(playback, shot), bars.advance), fps)
    print(f"{out}  ({count} frames, {count / fps:.1f} s)")
    return 0
