"""Public names are made of known words, and the prose for newcomers avoids private ones.

Every word of a public module, class or function name is a term of docs/reference/glossary.md or is in vocabulary.txt.
Names that still have another word are listed in vocabulary_todo.txt, and so are modules whose docstring has a banned
word. That list may only get shorter.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.source_tree import ROOT, modules

HERE = Path(__file__).parent
GLOSSARY = ROOT / "docs" / "reference" / "glossary.md"
# Words that say nothing to a newcomer: riddles about persons, and private names of things.
BANNED = (
    "whoever", "nobody", "somebody", "births", "newborn", "sundries", "errand", "errands", "mended", "guessers",
    "graves", "riddle",
)  # fmt: skip
PAGES = [
    ROOT / "README.md", *sorted((ROOT / "docs" / "tutorials").glob("*.md")),
    *sorted((ROOT / "docs" / "how-to").glob("*.md")),
]  # fmt: skip


def lines(name: str) -> list[str]:
    """The lines of a list beside this file."""
    return (HERE / name).read_text().split("\n")[:-1]


def words(name: str) -> list[str]:
    """The words of a name: `rgbImage2_of` -> rgb, image, of."""
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return [word.lower() for word in re.split(r"[_\d]+", name) if word]


def public_names() -> dict[str, str]:
    """Public name -> the first module that defines it; names of inherited claims (`test_...`) are sentences."""
    found: dict[str, str] = {}

    def visit(body: list[ast.stmt], module: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                if not node.name.startswith(("_", "test_")):
                    found.setdefault(node.name, module)
                    if isinstance(node, ast.ClassDef):
                        visit(node.body, module)

    for module, path in modules().items():
        for part in module.split("."):
            found.setdefault(part, module)
        visit(ast.parse(path.read_text()).body, module)
    return {name: module for name, module in found.items() if not name.startswith("_")}


def terms() -> set[str]:
    """Every word of the first column of the glossary's tables."""
    cells = re.findall(r"^\| ([^|]+) \|", GLOSSARY.read_text(), re.M)
    return {word.lower() for cell in cells for word in re.findall(r"[A-Za-z]+", cell)}


def is_known(word: str, known: set[str]) -> bool:
    """Whether a word or its singular is known."""
    return word in known or (word.endswith("s") and word[:-1] in known)


def refused() -> dict[str, list[str]]:
    """Public name -> its words that are in neither list."""
    known = terms() | set(lines("vocabulary.txt"))
    odd = {name: [w for w in words(name) if not is_known(w, known)] for name in public_names()}
    return {name: found for name, found in odd.items() if found}


def banned_in(text: str) -> list[str]:
    """The banned words of a text."""
    return [word for word in BANNED if re.search(rf"(?<![\w/]){word}(?![\w/])", text, re.I)]


def riddling_modules() -> Iterator[str]:
    """Modules whose docstring has a banned word."""
    for module, path in modules().items():
        if banned_in(ast.get_docstring(ast.parse(path.read_text())) or ""):
            yield module


def test_the_lists_are_sorted_and_say_each_word_once() -> None:
    for name in ("vocabulary.txt", "vocabulary_todo.txt"):
        found = lines(name)
        assert found == sorted(set(found)), name
    assert all(re.fullmatch(r"[a-z]+", word) for word in lines("vocabulary.txt"))


def test_every_word_of_a_public_name_is_known_or_on_the_list_of_those_to_rename() -> None:
    names, listed = public_names(), set(lines("vocabulary_todo.txt"))
    new = [
        f"{names[name]}: {name} has {', '.join(odd)}" for name, odd in refused().items() if f"name {name}" not in listed
    ]
    assert not new, "add the word to docs/reference/glossary.md or tests/vocabulary.txt, or choose another name"


def test_no_module_docstring_has_a_banned_word_unless_it_is_listed() -> None:
    listed = set(lines("vocabulary_todo.txt"))
    assert [m for m in riddling_modules() if f"docstring {m}" not in listed] == []


def test_the_list_of_names_to_change_only_gets_shorter() -> None:
    needed = {f"name {name}" for name in refused()} | {f"docstring {module}" for module in riddling_modules()}
    assert set(lines("vocabulary_todo.txt")) - needed == set(), "these are done: delete their lines"


def test_no_function_or_class_has_a_banned_word_in_its_name() -> None:
    """Names of tests and private helpers included."""
    paths = [
        path for folder in ("tests", "benchmarks", "experiments", "docs") for path in (ROOT / folder).rglob("*.py")
    ]
    found = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in [*paths, *modules().values()]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and set(words(node.name)) & set(BANNED)
    ]
    assert found == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_no_page_for_newcomers_has_a_banned_word(page: Path) -> None:
    assert banned_in(page.read_text()) == []


def test_the_glossary_explains_every_term_once() -> None:
    text = GLOSSARY.read_text()
    rows = [row.split(" | ")[0].strip("| ") for row in re.findall(r"^\| .*$", text, re.M)]
    found = [row for row in rows if row not in ("term", "short")]
    assert len(found) > 100 and len(found) == len(set(found))
