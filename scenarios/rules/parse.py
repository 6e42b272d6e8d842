"""Parser of rules and of formulas over propositions and over the definitions of `where:`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import lark

from scenarios.reading.errors import RuleError
from scenarios.rules.ast import (
    Decision,
    Formula,
    IfElse,
    Name,
    Reference,
    Rule,
    RuleSequence,
    join,
    walk,
    without_joins,
)
from scenarios.rules.grammar import has_word, keywords, pointed, read, unknown_name
from scenarios.rules.transformer import Reader
from scenarios.rules.variables.base import VARIABLES, Variable
from scenarios.rules.visitors import replaced
from sim.core.errors import did_you_mean, known_names
from sim.datatypes.vocabulary import DECISIONS, TURNS

__all__ = [
    "Definition",
    "RuleError",
    "check_name",
    "did_you_mean",
    "expanded",
    "known_names",
    "parse_definition",
    "parse_formula",
    "parse_rule",
]  # fmt: skip

Definition = Formula | Rule
_A_RULE = "a rule such as 'left if raining else right'"
_A_FORMULA = "a formula such as 'raining and not night'"


def _decision_words() -> str:
    """A short list of all decisions: `left, right, ..., exit 1 to 4, ..., and two turns such as 'left then right'`."""
    plain = [d for d in DECISIONS if " " not in d]
    counted: dict[str, str] = {}
    for decision in DECISIONS:
        thing, _, number = decision.partition(" ")
        if number.isdigit():
            counted[thing] = f"{thing} 1 to {number}"
    return f"{known_names((*plain, *counted.values()))}, and two turns such as 'left then right'"


class _Propositions(Reader):
    """Builds rules and formulas whose names are propositions and definitions.

    Args:
        known: the names; None allows any.
        defined: definitions by name; a rule cannot be part of a formula.
    """

    def __init__(self, text: str, known: Sequence[str] | None, defined: Mapping[str, Definition]) -> None:
        super().__init__(text, past=False)
        self.known = known
        self.defined = defined

    def kind(self, token: lark.Token) -> str:
        if isinstance(self.defined.get(token), Rule):
            raise self.error(f"'{token}' is a rule, not true or false; wanted a formula here", token)
        if self.known is not None and token not in self.known and token not in self.defined:
            raise unknown_name(self.text, token, "proposition", (*self.known, *self.defined))
        return "truth"

    def truth(self, token: lark.Token) -> Formula:
        return Name(str(token))

    def example(self, token: lark.Token) -> str:
        return str(token)

    def family(self, variable: str) -> str | None:
        return None

    def call(self, function: Variable, token: lark.Token) -> str:
        told = f"{function.function}({token}) reads the world, which only the text of a proposition may"
        raise self.error(f"{told}; wanted a proposition here", token)

    def rule(self, tree: Any) -> Rule:
        """Build a rule; the names of other rules and pairs of turns are not expanded."""
        if tree.data == "choose":
            then, condition, otherwise = tree.children
            return IfElse(self.rule(then), self.formula(condition), self.rule(otherwise))
        if tree.data == "join":
            first, second = map(self.rule, tree.children)
            for side, part in zip((first, second), tree.children):
                self._check_turns(side, part)
            return (
                join(first, second)
                if isinstance(first, Decision) and isinstance(second, Decision)
                else RuleSequence(first, second)
            )
        word = " ".join(map(str, tree.children))
        if isinstance(self.defined.get(word), Rule):
            return Reference(word)
        if word in DECISIONS:
            return Decision(word)
        if word in self.defined or (self.known and word in self.known):
            told = f"'{word}' is true or false, not a rule; wanted a decision here, or 'X if {word} else Y'"
            raise pointed(told, self.text, tree)
        rules = [name for name, tree in self.defined.items() if isinstance(tree, Rule)]
        known = f"{known_names(rules)}, {_decision_words()}" if rules else _decision_words()
        raise pointed(
            f"unknown decision '{word}'; known are {known}{did_you_mean(word, (*rules, *DECISIONS))}", self.text, tree
        )

    def _check_turns(self, side: Rule, part: Any) -> None:
        """Raise for an operand of `then` that is not a turn."""
        made = expanded(side, self.defined)
        if odd := next((d.decision for d in walk(made) if isinstance(d, Decision) and d.decision not in TURNS), None):
            told = f"'then' joins turns, and '{odd}' is none; wanted {known_names(TURNS)} on both sides"
            raise pointed(told, self.text, part)


def expanded(tree: Any, defined: Mapping[str, Definition]) -> Any:
    """The tree with every defined name replaced by its definition; in a rule, pairs of turns are joined."""

    def meaning(part: Any) -> Any:
        if isinstance(part, (Name, Reference)) and part.name in defined:
            return expanded(defined[part.name], defined)
        return None

    found = replaced(tree, meaning)
    return without_joins(found) if isinstance(found, Rule) else found


def parse_formula(
    text: str, known: Iterable[str] | None = None, defined: Mapping[str, Definition] | None = None
) -> Formula:
    """Read a formula such as `raining and not night` or `count(raining, night, foggy) >= 2`.

    Args:
        known: the propositions that it may name; None allows any name.
        defined: what else it may name, which stays a name (`expanded` replaces it).

    Raises:
        RuleError: for a text that cannot be parsed, with a caret under the word and the known names.
    """
    tree = read(text, "formula", _A_FORMULA)
    return _Propositions(text, None if known is None else tuple(known), defined or {}).formula(tree)


def parse_rule(text: str, known: Iterable[str] | None = None, defined: Mapping[str, Definition] | None = None) -> Rule:
    """Read a rule such as `left if raining else right`, a plain decision such as `exit 2`, or `first then second`.

    Args:
        known: the propositions that it may name; None allows any name.
        defined: what else it may name, which stays a name (`expanded` replaces it).

    Raises:
        RuleError: for a text that cannot be parsed, with a caret under the word and the known names.
    """
    tree = read(text, "rule", _A_RULE)
    return _Propositions(text, None if known is None else tuple(known), defined or {}).rule(tree)


def parse_definition(text: str, known: Iterable[str], defined: Mapping[str, Definition]) -> Definition:
    """Read the definition of a name: a rule where the text decides something, otherwise a formula.

    Raises:
        RuleError: as `parse_rule` and `parse_formula`.
    """
    word = " ".join(text.split()) if isinstance(text, str) else ""
    decides = word in DECISIONS or isinstance(defined.get(word), Rule) or has_word(word, "IF", "THEN")
    return parse_rule(text, known, defined) if decides else parse_formula(text, known, defined)


def check_name(name: str, what: str = "proposition name") -> str:
    """Return `name` if it is a valid name of a proposition, or of what `what` says.

    Raises:
        RuleError: for keywords, decisions, and what is not an identifier.
    """
    if not isinstance(name, str) or not name.isidentifier() or not name.isascii():
        raise RuleError(f"the {what} {name!r} is no word; wanted letters, digits and _, such as 'raining'")
    if taken := next((w for w in (*keywords(), *DECISIONS, *VARIABLES) if w == name), None):
        raise RuleError(f"the {what} '{taken}' is a word of the rule language; choose another")
    return name
