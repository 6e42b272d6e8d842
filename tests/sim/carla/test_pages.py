"""What the pages about CARLA say is so."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import yaml

from dagger.commands.serve import names_of_methods, table_of_methods
from sim.carla.server.registry import METHODS
from tests.support.source_tree import ROOT

CARLA, CI = ((ROOT / "docs" / name).read_text() for name in ("reference/carla-rpc.md", "how-to/carla-in-ci.md"))


def _block(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", CI, re.M | re.S)
    assert len(found) == 1
    return str(found[0])


def test_the_page_has_the_table_of_all_methods() -> None:
    shown = re.search(r"<!-- methods -->\n(.*)\n<!-- /methods -->", CARLA, re.S)
    assert shown and shown.group(1).strip() == table_of_methods(), "write it anew: make docs"


def test_the_page_names_all_methods_by_what_is_done_about_them() -> None:
    shown = re.search(r"<!-- names -->\n(.*)\n<!-- /names -->", CARLA, re.S)
    assert shown and shown.group(1).strip() == names_of_methods(), "write it anew: make docs"


def test_every_method_says_what_it_does_or_why_not() -> None:
    assert {m.does for m in METHODS.values()} == {"served", "ignored", "refused"}
    for method in METHODS.values():
        assert len(method.says) > 10 and "|" not in method.says, method.name


def test_the_agent_of_the_page_passes_as_its_workflow_runs_it(tmp_path: Path) -> None:
    (job,) = yaml.safe_load(_block("yml"))["jobs"].values()
    runs = [step["run"] for step in job["steps"] if "run" in step]
    program, *words = shlex.split(runs[-1])
    assert program == "pytest"
    (tmp_path / words[0]).write_text(_block("python"))
    done = subprocess.run(
        [sys.executable, "-m", program, *words, "-p", "no:cacheprovider"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_an_unknown_method_is_named_in_the_error(port: int) -> None:
    import socket

    import msgpack

    with socket.create_connection(("127.0.0.1", port), 10) as wire:
        wire.sendall(msgpack.packb([0, 7, "make_tea", [[False]]]))
        unpacker = msgpack.Unpacker(raw=False)
        while True:
            unpacker.feed(wire.recv(4096))
            for answer in unpacker:
                assert answer[:2] == [1, 7] and "make_tea" in answer[2]
                return
