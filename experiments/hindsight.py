"""Compares runs with and without hindsight and perturbed demonstrations: a row per run, and the tables.

    python experiments/hindsight.py run --seeds 0 1                 # the nine logical families
    python experiments/hindsight.py run --set others                # one run of each of twelve more
    python experiments/hindsight.py run --set parts                 # each part alone, on three families
    python experiments/hindsight.py run --set rule                  # another rule in rain-turn's world
    python experiments/hindsight.py table                           # the tables of docs/explanation/hindsight.md, from
    the rows

A run is `dagger run`, in a process of its own. Its row is a file in results/hindsight/ and is made only once; an
interrupted run is resumed. The run folders may be removed once their rows exist.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
ROWS, RUNS, PAGE = (
    ROOT / "results" / "hindsight",
    ROOT / "runs" / "hindsight",
    ROOT / "docs" / "explanation" / "hindsight.md",
)
LEVELS = ("imitates", "generalises", "encodes", "uses", "recovered")
NINE = (
    "logic-and", "logic-or", "logic-xor", "logic-implies", "logic-majority", "night-turn", "rain-and-night",
    "rain-xor-night", "chain",
)  # fmt: skip
OTHERS = (
    "rain-turn", "all-way-stop", "gap-acceptance", "narrow-passage", "occluded-pedestrian", "raging-driver",
    "drowsy-driver", "parallel-parking", "late-premise", "rule-from-leader", "sign-and-weather", "remembered-sign",
    "count-junctions",
)  # fmt: skip
PARTS = {
    "controls alone": ("--train.hindsight", "off", "--train.perturb", "0", "--train.epochs", "3"),
    "perturbed": ("--train.hindsight", "off", "--train.epochs", "3"),
    "hindsight": ("--train.perturb", "0"),
    "perturbed and hindsight": (),
}
PARTED = ("logic-xor", "logic-and", "rain-xor-night")
OTHER_RULE = "right if night else left"
NOT_RUN = "Not run yet."


@dataclass(frozen=True)
class Run:
    """One run.

    Args:
        family: a scenario's name; seed: of the run.
        part: one of PARTS.
        rule: rule in place of the family's, or "".
    """

    family: str
    seed: int = 0
    part: str = "perturbed and hindsight"
    rule: str = ""

    @property
    def name(self) -> str:
        """The name of its row's file."""
        part = "" if self.part == "perturbed and hindsight" else "-" + self.part.replace(" ", "-")
        return f"{self.family}{'-rule' if self.rule else ''}-{self.seed}{part}"

    def command(self) -> list[str]:
        """The arguments of `dagger` that make it, except the folder."""
        rule = ["--rule", self.rule] if self.rule else []
        return ["run", self.family, *rule, "--seed", str(self.seed), *PARTS[self.part]]


def chosen(which: str, seeds: list[int]) -> list[Run]:
    """The runs of a set."""
    if which == "parts":
        return [Run(f, s, part) for f in PARTED for part in PARTS for s in seeds]
    if which == "rule":
        return [Run("rain-turn", s, rule=OTHER_RULE) for s in seeds]
    families = {"nine": NINE, "others": OTHERS}.get(which, (which,))
    return [Run(f, s) for s in seeds for f in families]


def make(run: Run) -> None:
    """Complete a run, unless its row exists, and write the row."""
    row = ROWS / f"{run.name}.json"
    if row.exists():
        return
    folder = RUNS / run.name
    resume = ["--resume"] if (folder / "config.yaml").exists() else []
    began = time.monotonic()
    command = [sys.executable, "-m", "dagger.cli", *run.command(), *resume, "--out", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{run.name} failed: {done.stderr.strip().splitlines()[-1:]}")
    score = json.loads((folder / "scorecard.json").read_text())
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    last = [m for m in metrics if m["key"].startswith("evaluate/")]
    copying = score.get("copying") or {}
    ROWS.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {
        "family": run.family, "seed": run.seed, "part": run.part, "rule": score["rule"],
        "command": "dagger " + " ".join(f'"{c}"' if " " in c else c for c in run.command()),
        "commit": json.loads((folder / "manifest.json").read_text())["commit"],
        "seconds": round(sum(score["durations"].values())), "resumed": bool(resume),
        "wall": round(time.monotonic() - began),
        "levels": {
            name: {k: score["levels"][name].get(k) for k in ("value", "interval", "passed", "not_applicable")}
            for name in LEVELS
        },
        "recovered_rule": score["recovered_rule"],
        "perturb": next((m["strength"] for m in metrics if m["key"] == "perturb"), 0.0),
        "evaluations": {m["key"].removeprefix("evaluate/"): {s: m[s] for s in ("train", "test")} for m in last},
        "copying": {k: copying.get(k) for k in ("watching", "driving", "own_way", "note") if k in copying},
        "conclusion": conclusion(score),
    }  # fmt: skip
    row.write_text(json.dumps(found, indent=1) + "\n")
    shutil.rmtree(folder / "demonstrations")
    print(f"{run.name}: {', '.join(score['verdict']) or 'no level'} in {found['wall']} s", flush=True)


def conclusion(score: dict[str, Any]) -> dict[str, Any]:
    """What swapping the conclusion itself at the memory does: drives that follow it, and that keep to it; or {}."""
    found = score["levels"]["uses"].get("details", {})
    head = "the conclusion, swapped at memory: "
    return {k.removeprefix(head): v for k, v in found.items() if k.startswith(head)}


# ---------------------------------------------------------------------------------------------------- the tables
def rows() -> list[dict[str, Any]]:
    """All rows, by name."""
    return [json.loads(p.read_text()) for p in sorted(ROWS.glob("*.json"))]


def cell(level: dict[str, Any]) -> str:
    """The value of a level, in bold if it was passed."""
    if level["value"] is None:
        return "not asked"
    text = f"{level['value']:.2f}".replace("0.", ".", 1) if abs(level["value"]) < 1 else f"{level['value']:.2f}"
    return f"**{text}**" if level["passed"] else f"{text}?" if level["passed"] is None else text


def share(found: dict[str, Any] | None) -> str:
    """A share of drives."""
    if not found or found.get("value") is None:
        return "–"
    return f"{found['value']:.2f}"


def families(wanted: tuple[str, ...], found: list[dict[str, Any]]) -> str:
    """The table of runs with all parts on."""
    heads = [
        "family", "seed", *LEVELS, "rule read back", "says it watching / driving", "conclusion swapped", "minutes",
    ]  # fmt: skip
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for family in wanted:
        for r in found:
            if r["family"] != family or r["part"] != "perturbed and hindsight":
                continue
            copying = f"{share(r['copying'].get('watching'))} / {share(r['copying'].get('driving'))}"
            lines.append("| " + " | ".join([
                family, str(r["seed"]), *(cell(r["levels"][n]) for n in LEVELS),
                f"`{r['recovered_rule']}`" if r["recovered_rule"] else "none", copying,
                share(r["conclusion"].get("flip")), "–" if r["resumed"] else f"{r['seconds'] / 60:.1f}",
            ]) + " |")  # fmt: skip
    return "\n".join(lines) if len(lines) > 2 else NOT_RUN


def parts(found: list[dict[str, Any]]) -> str:
    """The table of each part alone, by agreement in closed loop before any DAgger round and after the last."""
    heads = ["family", "trained on", "seed", "round 0: train / test", "last round: train / test", *LEVELS]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for family in PARTED:
        for part in PARTS:
            for r in (r for r in found if r["family"] == family and r["part"] == part):
                ends = []
                last = max((k for k in r["evaluations"] if k.startswith("dagger-")), default="round-0")
                for key in ("round-0", last):
                    e = r["evaluations"][key]
                    ends.append(" / ".join(f"{e[s]['agreement']:.2f}" for s in ("train", "test")))
                cells = [family, part, str(r["seed"]), *ends, *(cell(r["levels"][n]) for n in LEVELS)]
                lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) if len(lines) > 2 else NOT_RUN


def write_tables() -> None:
    """Write the tables between their marks in the page."""
    found = rows()
    of_rule = [r for r in found if r["family"] == "rain-turn" and OTHER_RULE.split()[2] in r["rule"]]
    plain = [r for r in found if r not in of_rule]
    page = PAGE.read_text()
    for name, text in (
        ("nine", families(NINE, plain)), ("others", families(OTHERS, plain)), ("parts", parts(plain)),
        ("rule", families(("rain-turn",), of_rule)),
    ):  # fmt: skip
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, _, rest = page.partition(start)
        _, _, after = rest.partition(end)
        page = f"{before}{start}\n{text}\n{end}{after}"
    PAGE.write_text(page)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--set", default="nine", help="nine, others, parts, rule, or a scenario's name")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    if options.what == "table":
        write_tables()
        return
    for run in chosen(options.set, options.seeds):
        make(run)


if __name__ == "__main__":
    main()
