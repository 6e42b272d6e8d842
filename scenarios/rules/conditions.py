"""Parser of the conditions of propositions and of numbers over weather fields, whose names are variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import lark

from scenarios.rules.ast import Formula, Name, TextComparison
from scenarios.rules.grammar import first_token, read, unknown_name
from scenarios.rules.numbers import Number
from scenarios.rules.transformer import Reader
from scenarios.rules.variables import family_of, known_variables, text_equals, type_of
from scenarios.rules.variables.base import Variable
from sim.core.errors import did_you_mean, known_names


@dataclass(frozen=True)
class Vocabulary:
    """The names that a condition may use.

    Args:
        actors, signs: names of the scenario's actors and signs, in the order of their slots.
        options: variable -> all its possible words, such as "signs.board.text" -> ("DETOUR", "SCHOOL"); a
            comparison with other words is refused.
        traffic: whether the scenario has traffic.
        untold: variables that no proposition may read -> why not, and what was wanted.
        earlier: propositions above this one in the file, which it may name.
        more: variables that only this scenario has, such as its map's parameters.
    """

    actors: Sequence[str] = ()
    signs: Sequence[str] = ()
    options: Mapping[str, Sequence[str]] = field(default_factory=dict)
    traffic: bool = False
    untold: Mapping[str, str] = field(default_factory=dict)
    earlier: Mapping[str, Formula] = field(default_factory=dict)
    more: Sequence[str] = ()

    @property
    def known(self) -> tuple[str, ...]:
        """Every variable that may be read."""
        known = (*known_variables(self.actors, self.signs, self.traffic), *self.more)
        return tuple(v for v in known if v not in self.untold)

    def boards(self, words: str) -> tuple[str, ...]:
        """The signs that may show these words; a sign without options may show any."""
        texts = {s: self.options.get(f"signs.{s}.text") for s in self.signs}
        return tuple(
            s for s, options in texts.items() if options is None or any(text_equals(str(o), words) for o in options)
        )


class _Condition(Reader):
    """Builds the tree of the text of a proposition."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        super().__init__(text, past=True)
        self.of = vocabulary
        self.known = vocabulary.known

    def kind(self, token: lark.Token) -> str:
        if token in self.of.earlier:
            return "truth"
        if token in self.of.untold:
            raise self.error(f"'{token}' {self.of.untold[token]}", token)
        if token not in self.known:
            raise unknown_name(self.text, token, "variable", (*self.known, *self.of.earlier))
        return type_of(token)

    def truth(self, token: lark.Token) -> Formula:
        return self.of.earlier.get(token, Name(str(token)))

    def example(self, token: lark.Token) -> str:
        return f"{token} == {self._words(token)}" if type_of(token) == "words" else f"{token} > 0"

    def family(self, variable: str) -> str | None:
        return family_of(variable)

    def call(self, function: Variable, token: lark.Token) -> str:
        if function.argument == "NAME":
            if not token.startswith("signs.") or token.removeprefix("signs.") not in self.of.signs:
                raise unknown_name(self.text, token, "sign", tuple(f"signs.{s}" for s in self.of.signs))
            return f"{function.function}({token})"
        said, words = function.function, " ".join(token[1:-1].split())
        if not words:
            raise self.error(f"{said}({token}) asks for no words; wanted such as '{said}(\"DETOUR\")'", token)
        if not self.of.boards(words):
            options = [o for s in self.of.signs for o in self.of.options.get(f"signs.{s}.text", ()) if o]
            told = f"no board ever says {token}; they can say {known_names(f'{chr(34)}{o}{chr(34)}' for o in options)}"
            raise self.error(f"{told}{did_you_mean(words, options)}", token)
        return f'{said}("{words}")'

    def _words(self, variable: str) -> str:
        """An example of the words of a variable, in quotes."""
        found = self.of.options.get(variable, ())
        return f'"{found[0] if found else "WORDS"}"'

    def wording(self, operands: Sequence[Any], between: Sequence[lark.Token]) -> TextComparison:
        if odd := next((s for s in between if s not in ("==", "!=")), None):
            for operand in operands:
                if self._kind(operand) != "words" and operand.data != "name":
                    self.number(operand)  # raises for words within arithmetic
            raise self.error(f"words have no order for '{odd}'; wanted == or !=", odd)
        if len(between) > 1:
            told = f"words are compared two at a time; wanted 'and' before this '{between[1]}'"
            raise self.error(told, between[1])
        named = next((o.children[0] for o in operands if o.data == "name"), None)
        said = next((o.children[0] for o in operands if o.data == "words"), None)
        if named is None:
            token = first_token(operands[0])
            told = f"{token} is compared with no variable; wanted one such as 'signs.board.text'"
            raise self.error(told, token)
        if said is None:
            other = first_token(next(o for o in operands if o.data != "name" or o.children[0] is not named))
            told = f"'{named}' is words, and '{other}' is not in double quotes"
            raise self.error(f"{told}; wanted such as '{named} == {self._words(named)}'", other)
        if (kind := self.kind(named)) != "words":
            what = "true or false" if kind == "truth" else "a number"
            raise self.error(f"'{named}' is {what}, and {said} is words; wanted the two alike", said)
        words, options = str(said)[1:-1], self.of.options.get(named)
        if options is not None and words not in options:
            known = known_names(f'"{o}"' for o in options)
            raise self.error(f"'{named}' is never {said}; it can be {known}{did_you_mean(words, options)}", said)
        return TextComparison(str(named), str(between[0]), words)


class _Arithmetic(Reader):
    """Builds a number over known names, each of them a number."""

    def __init__(self, text: str, known: Sequence[str]) -> None:
        super().__init__(text, past=False)
        self.known = known

    def kind(self, token: lark.Token) -> str:
        if token not in self.known:
            raise unknown_name(self.text, token, "name", self.known)
        return "number"

    def truth(self, token: lark.Token) -> Formula:
        return Name(str(token))

    def example(self, token: lark.Token) -> str:
        return f"{token} > 0"

    def family(self, variable: str) -> str | None:
        return None

    def call(self, function: Variable, token: lark.Token) -> str:
        told = f"{function.function}({token}) reads the world"
        raise self.error(f"{told}; wanted a number over {known_names(self.known)}", token)


def parse_condition(text: str, vocabulary: Vocabulary) -> Formula:
    """Read a condition such as `once[0s, 10s] sign("DETOUR") and ego.speed > 30 km/h`.

    Raises:
        RuleError: for a text that cannot be parsed, with a caret under the word and the known names.
    """
    tree = read(text, "formula", "a condition such as 'weather.precipitation > 20'")
    return _Condition(text, vocabulary).formula(tree)


def parse_number(text: str, known: Sequence[str]) -> Number:
    """Read a number expression such as `max(20, precipitation * 0.9)` over the `known` names.

    Raises:
        RuleError: for a text that cannot be parsed, with a caret under the word and the known names.
    """
    tree = read(text, "number", "a number such as 'max(20, precipitation * 0.9)'")
    return _Arithmetic(text, known).number(tree)
