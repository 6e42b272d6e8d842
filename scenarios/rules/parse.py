"""Text to tree, for rules and formulas; every mistake becomes one sentence with a caret under the word.

The grammar is LALR (`lark`), so a rule is read in one pass and no text can run code.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable, Sequence
from typing import Any

import lark

from scenarios.rules.syntax import (
    KEYWORDS,
    And,
    Choose,
    Constant,
    Decide,
    Formula,
    Iff,
    Implies,
    Name,
    Not,
    Or,
    Rule,
    Xor,
)
from sim.types import DECISIONS

# Shared by rules and by the conditions of `scenarios.rules.predicates`, which say what an `atom` is.
FORMULA_GRAMMAR = r"""
    ?formula: iff
    ?iff: implies | iff "iff" implies
    ?implies: or | or "implies" implies
    ?or: xor | or "or" xor
    ?xor: and | xor "xor" and
    ?and: not | and "and" not
    ?not: atom | "not" not -> not_
"""

RULE_GRAMMAR = (
    r"""
    ?rule: leaf | leaf "if" formula "else" rule -> choose
    ?leaf: WORD -> decide | "(" rule ")"
"""
    + FORMULA_GRAMMAR
    + r"""
    ?atom: WORD -> name | "true" -> true | "false" -> false | "(" formula ")"
    WORD: /[A-Za-z_][A-Za-z_0-9]*/
    %ignore /[ \t\r\n]+/
"""
)

_BINARY: dict[str, type[And] | type[Or] | type[Xor] | type[Implies] | type[Iff]] = {
    "and": And,
    "xor": Xor,
    "or": Or,
    "implies": Implies,
    "iff": Iff,
}


class RuleError(ValueError):
    """A rule, formula or proposition that cannot be read; the text says what, where, and what is known."""


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'raining'?` for a known word that looks like `word`, else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def listed(known: Iterable[str]) -> str:
    """The known words as people list them: `a, b, c`, or `none`."""
    return ", ".join(known) or "none"


def point_at(text: str, start: int, length: int) -> str:
    """The line of `text` that holds `start`, with a caret under each of `length` characters."""
    begin = text.rfind("\n", 0, start) + 1
    end = text.find("\n", start)
    line = text[begin : len(text) if end < 0 else end].expandtabs(1)
    return f"\n    {line}\n    {' ' * (start - begin)}{'^' * max(1, min(length, len(line) - (start - begin)))}"


def unknown_name(text: str, token: lark.Token, what: str, known: Sequence[str]) -> RuleError:
    """The error for a word that is not among `known`."""
    sentence = f"unknown {what} '{token}'; known are {listed(known)}{nearest(str(token), known)}"
    return RuleError(sentence + point_at(text, token.start_pos or 0, len(token)))


def read(parser: lark.Lark, text: str, start: str, wanted: str) -> Any:
    """Parse `text` with `parser` from `start`.

    Args:
        wanted: what should have been there, for the message, such as "a rule like 'left if raining else right'".

    Raises:
        RuleError: where the text does not fit the grammar.
    """
    if not isinstance(text, str):
        raise RuleError(f"{text!r} is no text; wanted {wanted}")
    try:
        return parser.parse(text, start=start)
    except lark.UnexpectedToken as error:
        if error.token.type == "$END":
            sentence = f"the text ends too early; wanted {wanted}"
            raise RuleError(sentence + point_at(text, len(text.rstrip()), 1)) from None
        word, where = str(error.token), error.token.start_pos or 0
        known = [k for k in KEYWORDS if k.upper() in error.accepts] if error.accepts else list(KEYWORDS)
        sentence = f"'{word}' is not expected here{nearest(word, known)}; wanted {wanted}"
        raise RuleError(sentence + point_at(text, where, len(word))) from None
    except lark.UnexpectedCharacters as error:
        where = error.pos_in_stream or 0
        sentence = f"the character '{text[where]}' is not expected here; wanted {wanted}"
        raise RuleError(sentence + point_at(text, where, 1)) from None


# lexer="basic": the contextual lexer would read `ifraining` as `if raining` where only `if` may follow.
@functools.lru_cache(maxsize=1)
def _parser() -> lark.Lark:
    return lark.Lark(RULE_GRAMMAR, start=["rule", "formula"], parser="lalr", lexer="basic")


def build_formula(tree: lark.Tree[lark.Token], atom: Any) -> Formula:
    """Turn the formula part of a parse tree into a `Formula`; `atom(tree)` turns whatever is not an operator."""
    if tree.data in _BINARY:
        left, right = tree.children
        return _BINARY[tree.data](build_formula(left, atom), build_formula(right, atom))  # type: ignore[arg-type]
    if tree.data == "not_":
        return Not(build_formula(tree.children[0], atom))  # type: ignore[arg-type]
    if tree.data in ("true", "false"):
        return Constant(tree.data == "true")
    return atom(tree)


def _formula(tree: Any, text: str, known: Sequence[str] | None) -> Formula:
    def atom(leaf: Any) -> Formula:
        token = leaf.children[0]
        if known is not None and token not in known:
            raise unknown_name(text, token, "proposition", known)
        return Name(str(token))

    return build_formula(tree, atom)


def _rule(tree: Any, text: str, known: Sequence[str] | None) -> Rule:
    if tree.data == "choose":
        then, condition, otherwise = tree.children
        return Choose(_rule(then, text, known), _formula(condition, text, known), _rule(otherwise, text, known))
    token = tree.children[0]
    if token not in DECISIONS:
        raise unknown_name(text, token, "decision", DECISIONS)
    return Decide(str(token))


def parse_formula(text: str, known: Iterable[str] | None = None) -> Formula:
    """Read a formula such as `raining and not night`.

    Args:
        known: the propositions that it may name; None allows any name.

    Raises:
        RuleError: for what cannot be read, with the word pointed at and the known names.
    """
    tree = read(_parser(), text, "formula", "a formula such as 'raining and not night'")
    return _formula(tree, text, None if known is None else tuple(known))


def parse_rule(text: str, known: Iterable[str] | None = None) -> Rule:
    """Read a rule such as `left if raining else right`, or a plain decision such as `right`.

    Args:
        known: the propositions that it may name; None allows any name.

    Raises:
        RuleError: for what cannot be read, with the word pointed at and the known names.
    """
    tree = read(_parser(), text, "rule", "a rule such as 'left if raining else right'")
    return _rule(tree, text, None if known is None else tuple(known))


def check_name(name: str) -> str:
    """Return `name` if it can name a proposition.

    Raises:
        RuleError: for keywords, decisions, and what is no word.
    """
    if not isinstance(name, str) or not name.isidentifier() or not name.isascii():
        raise RuleError(f"the proposition name {name!r} is no word; wanted letters, digits and _, such as 'raining'")
    if taken := next((w for w in (*KEYWORDS, *DECISIONS) if w == name), None):
        raise RuleError(f"the proposition name '{taken}' is a word of the rule language; choose another")
    return name
