"""The grammar of rules, formulas, conditions and numbers; every mistake becomes a sentence with a caret.

The grammar is LALR (`lark`), so a text is read in one pass and can run no code. Brackets may hold any
expression; `scenarios.rules.transformer` tells numbers from truth values when it builds the tree.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import lark

from scenarios.reading.errors import RuleError
from scenarios.rules.ast import KEYWORDS
from sim.core.errors import did_you_mean, known_names

_NO_UNITS = "|".join(k for k in KEYWORDS if k != "min")  # words that may follow a number and are not units
GRAMMAR = (
    r"""
    ?rule: joined | joined "if" formula "else" rule -> choose
    ?joined: leaf | leaf "then" leaf -> join
    ?leaf: NAME -> decide | NAME NUMBER -> decide | "(" rule ")"

    ?formula: iff
    ?iff: implies | iff "iff" implies
    ?implies: or | or "implies" implies
    ?or: xor | or "or" xor
    ?xor: and | xor "xor" and
    ?and: since | and "and" since
    ?since: unary | since "since" [window] unary
    ?unary: comparison | "not" unary -> not_ | "previously" unary -> previously
          | "once" [window] unary -> once | "always" [window] unary -> always
    ?comparison: number | number (COMPARE number)+
    ?number: term | number "+" term -> add | number "-" term -> subtract
    ?term: factor | term "*" factor -> multiply | term "/" factor -> divide
    ?factor: atom | "-" factor -> negative
    ?atom: NAME -> name | NUMBER -> literal | MEASURE -> measure | WORDS -> words | "(" formula ")"
         | "true" -> true | "false" -> false
         | "min" "(" number "," number ")" -> least | "max" "(" number "," number ")" -> most
         | "count" "(" formula ("," formula)* ")" -> count
         | "number" "(" NAME ")" -> board | "reading" "(" WORDS ")" -> reading | "sign" "(" WORDS ")" -> sign
    window: "[" bound "," bound "]"
    bound: NUMBER | MEASURE

    NAME: /[A-Za-z_][A-Za-z_0-9]*(\.[A-Za-z_0-9]+)*/
    NUMBER: /\d+(\.\d*)?([eE][+-]?\d+)?|\.\d+/
    MEASURE.2: /(\d+(\.\d*)?([eE][+-]?\d+)?|\.\d+)[ \t]*(?![eE][+-]?\d)(%|(?!(KEYWORDS)\b)[A-Za-z_]+(\/[A-Za-z]+)?)/
    WORDS: /"[^"\n]*"/
    COMPARE: "<=" | ">=" | "==" | "!=" | "<" | ">"
    %ignore /[ \t\r\n]+/
"""
).replace("KEYWORDS", _NO_UNITS)
_STARTS = ("rule", "formula", "number")


def point_at(text: str, start: int, length: int) -> str:
    """The line of `text` that holds `start`, with a caret under each of `length` characters."""
    begin = text.rfind("\n", 0, start) + 1
    end = text.find("\n", start)
    line = text[begin : len(text) if end < 0 else end].expandtabs(1)
    return f"\n    {line}\n    {' ' * (start - begin)}{'^' * max(1, min(length, len(line) - (start - begin)))}"


def pointed(sentence: str, text: str, part: Any) -> RuleError:
    """The error that says `sentence` with a caret under a token or a part of a parse tree."""
    if isinstance(part, lark.Token):
        return RuleError(sentence + point_at(text, part.start_pos or 0, len(part)))
    return RuleError(sentence + point_at(text, part.meta.start_pos, part.meta.end_pos - part.meta.start_pos))


def unknown_name(text: str, token: lark.Token, what: str, known: Sequence[str]) -> RuleError:
    """The error for a word that is not among `known`."""
    sentence = f"unknown {what} '{token}'; known are {known_names(known)}{did_you_mean(str(token), known)}"
    return pointed(sentence, text, token)


def first_token(tree: Any) -> lark.Token:
    """The first word of a part of a parse tree."""
    if isinstance(tree, lark.Token):
        return tree
    token = next(tree.scan_values(lambda value: isinstance(value, lark.Token)))
    assert isinstance(token, lark.Token)
    return token


# lexer="basic": the contextual lexer would read `ifraining` as `if raining` where only `if` may follow.
@functools.lru_cache(maxsize=1)
def _parser() -> lark.Lark:
    return lark.Lark(GRAMMAR, start=list(_STARTS), parser="lalr", lexer="basic", propagate_positions=True)


def names_in(text: str) -> set[str]:
    """The names that a text mentions; empty for a text that cannot be tokenized."""
    try:
        return {str(token) for token in _parser().lex(text) if token.type == "NAME"}
    except lark.UnexpectedInput:
        return set()


def has_word(text: str, *kinds: str) -> bool:
    """Whether a text has a word of one of these kinds, such as "IF"; False for a text that cannot be tokenized."""
    try:
        return any(token.type in kinds for token in _parser().lex(text))
    except lark.UnexpectedInput:
        return False


def read(text: str, start: str, wanted: str) -> Any:
    """Parse `text` as a rule, a formula or a number.

    Args:
        start: "rule", "formula" or "number".
        wanted: what should have been there, for the message, such as "a rule like 'left if raining else right'".

    Raises:
        RuleError: where the text does not fit the grammar.
    """
    if not isinstance(text, str):
        raise RuleError(f"{text!r} is no text; wanted {wanted}")
    try:
        return _parser().parse(text, start=start)
    except lark.UnexpectedToken as error:
        if error.token.type == "$END":
            sentence = f"the text ends too early; wanted {wanted}"
            raise RuleError(sentence + point_at(text, len(text.rstrip()), 1)) from None
        word, where = str(error.token), error.token.start_pos or 0
        known = [k for k in KEYWORDS if k.upper() in error.accepts] if error.accepts else list(KEYWORDS)
        sentence = f"'{word}' is not expected here{did_you_mean(word, known)}; wanted {wanted}"
        raise RuleError(sentence + point_at(text, where, len(word))) from None
    except lark.UnexpectedCharacters as error:
        where = error.pos_in_stream or 0
        sentence = f"the character '{text[where]}' is not expected here; wanted {wanted}"
        raise RuleError(sentence + point_at(text, where, 1)) from None
