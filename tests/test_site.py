"""How the documentation is put together: generated pages, navigation, the README's size, the citation file."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from probes.levels.registry import levels
from scenarios.schema.map import FileModel
from tests.support.source_tree import ROOT, modules

DOCS = ROOT / "docs"
README_BYTES = 6144
LONGEST = 116  # characters of the first paragraph of a module docstring; may only be lowered, to 110


def load(path: Path) -> ModuleType:
    """A script of the documentation as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE, CHECK_SITE = load(DOCS / "generate.py"), load(DOCS / "check_site.py")


# -------------------------------------------------------------------------------------------------- generated pages
def test_every_generated_page_is_what_the_code_says() -> None:
    stale = [str(p.relative_to(ROOT)) for p, text in GENERATE.pages().items() if p.read_text("utf-8") != text]
    assert not stale, "write them anew: make docs"


def test_a_page_without_its_marks_is_refused() -> None:
    assert GENERATE.with_table("a <!-- x --> old <!-- /x --> b", "x", "new") == "a <!-- x -->\n\nnew\n\n<!-- /x --> b"
    with pytest.raises(ValueError, match="lacks"):
        GENERATE.with_table("a <!-- x --> b", "x", "new")


def test_the_first_paragraph_of_a_module_docstring_is_one_short_sentence() -> None:
    for module, path in modules().items():
        text = ast.get_docstring(ast.parse(path.read_text()))
        if not text and path.name == "__init__.py":
            continue
        first = GENERATE.first_paragraph(path)
        assert first, f"{module} has no docstring"
        assert len(first) <= LONGEST, f"{module}: {len(first)} characters; wanted {LONGEST} at most"
        assert first.endswith((".", "?")), f"{module}: the first paragraph is no sentence"
        if path.name != "__init__.py":
            assert not re.search(r"[a-z)`]\. [A-Z]", first), f"{module}: the first paragraph is more than one sentence"


def test_the_scenario_page_explains_every_key_of_a_file() -> None:
    text = (DOCS / "reference" / "scenario-file.md").read_text()
    table = text.split("## Top level")[1].split("\n## ")[0]
    named = {key for cell in re.findall(r"^\| ([^|]+) \|", table, re.M) for key in re.findall(r"`(\w+)`", cell)}
    assert named == set(FileModel.model_fields)


# ------------------------------------------------------------------------------------------------------- the site
class _Loader(yaml.SafeLoader):
    """Reads mkdocs.yml, whatever tags it has."""


def settings() -> dict[str, Any]:
    """mkdocs.yml."""
    _Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: suffix)
    found: dict[str, Any] = yaml.load((ROOT / "mkdocs.yml").read_text(), _Loader)
    return found


def pages_in(nav: Any) -> list[str]:
    """The pages of a navigation, in order."""
    if isinstance(nav, str):
        return [nav]
    return [page for part in (nav.values() if isinstance(nav, dict) else nav) for page in pages_in(part)]


def test_the_navigation_names_every_page_once_and_every_page_exists() -> None:
    named = pages_in(settings()["nav"])
    assert len(named) == len(set(named))
    assert set(named) == {p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md")}


def test_every_index_page_links_every_page_of_its_section() -> None:
    for folder in ("tutorials", "how-to", "reference", "explanation", "reference/api"):
        index = (DOCS / folder / "index.md").read_text()
        for page in (p for p in (DOCS / folder).glob("*.md") if p.name != "index.md"):
            assert f"]({page.name}" in index, f"{folder}/index.md does not link {page.name}"


def test_the_site_loads_nothing_from_the_network(tmp_path: Path) -> None:
    found = settings()
    assert found["theme"]["font"] is False and found["strict"] is True
    (tmp_path / "index.html").write_text(
        '<link rel="stylesheet" href="a.css"><link rel="canonical" href="https://x.org"><a href="https://x.org">x</a>'
        '<img src="a.png"><script src="b.js"></script>'
    )
    (tmp_path / "a.css").write_text("@import 'b.css'; p { background: url(a.png) }")
    assert CHECK_SITE.remote_resources(tmp_path) == []
    (tmp_path / "index.html").write_text(
        '<link rel="stylesheet" href="https://x.org/a.css"><img srcset="a.png 1x, //x.org/b.png 2x">'
        '<script src="https://x.org/b.js"></script><style>@import "https://x.org/c.css";</style>'
        '<p style="background: url(https://x.org/d.png)"><pre class="mermaid">'
    )
    (tmp_path / "a.css").write_text("@font-face { src: url('https://x.org/e.woff2') }")
    assert len(CHECK_SITE.remote_resources(tmp_path)) == 7


# --------------------------------------------------------------------------------------------- README and citation
def test_the_readme_is_short_and_has_what_a_newcomer_needs() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.encode()) <= README_BYTES
    assert text.index("docs/images/twins.png") < text.index("make run") < text.index("make test")
    assert tuple(re.findall(r"^\| `(\w+)` \|", text, re.M)) == tuple(level.name for level in levels())
    for link in ("docs/tutorials/write-a-rule.md", "docs/tutorials/your-own-encoder.md", "CITATION.cff", "LICENSE",
                 "docs/tutorials/probe-a-policy.md", "docs/tutorials/drive-carla-clients.md",
                 "docs/how-to/index.md", "CONTRIBUTING.md"):  # fmt: skip
        assert f"]({link})" in text, link


def test_the_citation_says_what_the_package_says() -> None:
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    package = (ROOT / "pyproject.toml").read_text()
    assert found["cff-version"] == "1.2.0" and found["message"] and found["title"]
    assert found["authors"] == [{"name": "The Homunculus authors"}]
    assert f'version = "{found["version"]}"' in package and f'license = "{found["license"]}"' in package
    assert (ROOT / "LICENSE").read_text().startswith(f"{found['license']} License")
    known = {"cff-version", "message", "type", "title", "abstract", "authors", "version", "license", "keywords"}
    assert set(found) <= known, "keys of the Citation File Format 1.2.0"
