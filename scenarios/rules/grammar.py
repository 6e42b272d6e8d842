"""The grammar of rules, formulas, conditions and numbers; every mistake becomes a sentence with a caret.

The grammar is LALR (`lark`), so a text is read in one pass and can run no code. Its operators and functions are those
that `scenarios.rules.operators` and `scenarios.rules.variables` declare. Brackets may hold any expression;
`scenarios.rules.transformer` tells numbers from truth values when it builds the tree.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import lark

from scenarios.reading.errors import RuleError
from scenarios.rules.ast import COMPARE
from scenarios.rules.numbers import ATOM
from scenarios.rules.operators.base import OPERATORS, Binary, NumberOperator, OperatorNode, number_operators
from scenarios.rules.units import UNITS
from scenarios.rules.variables import functions
from sim.core.errors import did_you_mean, known_names

# A parse tree calls an operator's node OPERATOR + its keyword, and so on; nothing else begins like this.
OPERATOR, OPERATION, FUNCTION = "operator_", "operation_", "function_"
_TEMPLATE = r"""
    ?rule: joined | joined "if" formula "else" rule -> choose
    ?joined: leaf | leaf "then" leaf -> join
    ?leaf: NAME -> decide | NAME NUMBER -> decide | "(" rule ")"

    {formulas}
    ?unary: comparison {before}
    ?comparison: number | number (COMPARE number)+
    {numbers}
    ?factor: atom {signs}
    ?atom: NAME -> name | NUMBER -> literal | MEASURE -> measure | WORDS -> words | "(" formula ")"
         | "true" -> true | "false" -> false {calls}
    window: "[" bound "," bound "]"
    bound: NUMBER | MEASURE

    NAME: /[A-Za-z_][A-Za-z_0-9]*(\.[A-Za-z_0-9]+)*/
    NUMBER: /\d+(\.\d*)?([eE][+-]?\d+)?|\.\d+/
    MEASURE.2: /(\d+(\.\d*)?([eE][+-]?\d+)?|\.\d+)[ \t]*(?![eE][+-]?\d)(%|(?!({no_units})\b)[A-Za-z_]+(\/[A-Za-z]+)?)/
    WORDS: /"[^"\n]*"/
    COMPARE: {compare}
    %ignore /[ \t\r\n]+/
"""
_STARTS = ("rule", "formula", "number")
_PLAIN = ("if", "else", "true", "false", "then")  # keywords that are no operators


def keywords() -> tuple[str, ...]:
    """Every word that the language reserves."""
    named = [o.word for o in number_operators() if o.style == "function"]
    return tuple(dict.fromkeys((*_PLAIN, *OPERATORS, *named, *functions())))


def grammar() -> str:
    """The grammar as `lark` reads it, built from the declared operators and functions."""
    between = [o for o in OPERATORS.values() if issubclass(o, Binary)]
    before = [o for o in OPERATORS.values() if not issubclass(o, Binary)]
    formulas = _levels("formula", sorted({o.binding for o in between}), "unary", [
        (o.binding, o.right_associative, f'"{o.word}" {_window(o)}', f"{OPERATOR}{o.word}") for o in between
    ])  # fmt: skip
    infix = [o for o in number_operators() if o.style == "infix"]
    numbers = _levels("number", sorted({o.binding for o in infix}), "factor", [
        (o.binding, False, f'"{o.word}"', f"{OPERATION}{o.name}") for o in infix
    ])  # fmt: skip
    signs = [f'"{o.word}" factor -> {OPERATION}{o.name}' for o in number_operators() if o.style == "prefix"]
    calls = [_call(o) for o in number_operators() if o.style == "function"]
    calls += [f'"{f.function}" "(" {f.argument} ")" -> {FUNCTION}{f.function}' for f in functions().values()]
    parts = {
        "formulas": formulas,
        "before": "".join(f'| "{o.word}" {_window(o)} unary -> {OPERATOR}{o.word} ' for o in before),
        "numbers": numbers,
        "signs": "".join(f"| {sign} " for sign in signs),
        "calls": "".join(f"| {call} " for call in calls),
        "no_units": "|".join(k for k in keywords() if k not in UNITS),  # words that may follow a number
        "compare": " | ".join(f'"{sign}"' for sign in COMPARE),
    }
    text = _TEMPLATE
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    return text


def _levels(name: str, bindings: Sequence[int], tightest: str, operators: Sequence[tuple[int, bool, str, str]]) -> str:
    """A rule for each binding of operators between two operands, loosest first.

    Args:
        name: of the first rule.
        tightest: the rule for what binds more tightly than all.
        operators: binding, whether to group to the right, word or sign, and name of the node.
    """
    rules = [name, *(f"{name}_{binding}" for binding in bindings[1:]), tightest]
    lines = []
    for binding, rule, tighter in zip(bindings, rules, rules[1:]):
        choices = [tighter]
        for mine, right, word, node in operators:
            if mine == binding:
                left_side, right_side = (tighter, rule) if right else (rule, tighter)
                choices.append(f"{left_side} {word} {right_side} -> {node}")
        lines.append(f"?{rule}: {' | '.join(choices)}")
    return "\n    ".join(lines)


def _window(operator: type[OperatorNode]) -> str:
    if not operator.has_window():
        return ""
    return "window" if operator.window_needed else "[window]"


def _call(operator: NumberOperator) -> str:
    """A call of a function, with as many operands as it takes."""
    assert operator.binding == ATOM
    operand = "formula" if operator.of_formulas else "number"
    least, most = operator.operands
    more = f'("," {operand})*' if most is None else f'("," {operand})~0..{most - least}' if most > least else ""
    listed = ' "," '.join([operand] * least)
    return f'"{operator.word}" "(" {listed} {more} ")" -> {OPERATION}{operator.name}'


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
    return lark.Lark(grammar(), start=list(_STARTS), parser="lalr", lexer="basic", propagate_positions=True)


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
        known = [k for k in keywords() if not error.accepts or k.upper() in error.accepts]
        sentence = f"'{word}' is not expected here{did_you_mean(word, known)}; wanted {wanted}"
        raise RuleError(sentence + point_at(text, where, len(word))) from None
    except lark.UnexpectedCharacters as error:
        where = error.pos_in_stream or 0
        sentence = f"the character '{text[where]}' is not expected here; wanted {wanted}"
        raise RuleError(sentence + point_at(text, where, 1)) from None
