"""Conditions over the past: they print as they are read, and four ways of following them agree."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.reading.errors import RuleError
from scenarios.rules.ast import Comparison, Constant, Name, TextComparison, Window
from scenarios.rules.conditions import Vocabulary, parse_condition
from scenarios.rules.monitor import Monitor
from scenarios.rules.numbers import Number
from scenarios.rules.operators.base import OPERATORS, Binary
from scenarios.rules.operators.conjunction import And
from scenarios.rules.operators.equivalence import Iff
from scenarios.rules.operators.historically import Historically
from scenarios.rules.operators.implication import Implies
from scenarios.rules.operators.negation import Not
from scenarios.rules.operators.once import Once
from scenarios.rules.operators.throughout import Throughout
from scenarios.rules.propositions import parse_proposition
from scenarios.rules.trace import evaluate_trace
from scenarios.rules.units import FAMILIES, converted
from scenarios.rules.variables import family_of
from scenarios.rules.visitors import reads
from tests.reference import past as twin

TRUTHS = ("actors.a.present", "actors.b.present", 'sign("DETOUR")')
NUMBERS = ("ego.speed", "signs.board.weathering", "actors.a.distance", "ego.junctions", "number(signs.board)",
           'reading("EXIT")', "weather.sun_altitude_angle", "weather.fog_falloff")  # fmt: skip
VOCABULARY = Vocabulary(("a", "b"), ("board",), {"signs.board.text": ("DETOUR", "EXIT 2")})
TICK = 0.1


@st.composite
def measures(draw, variable):
    """A literal, in one of the units that the variable has if it has any."""
    value = float(draw(st.one_of(st.integers(0, 9), st.floats(0, 100, allow_nan=False))))
    units = [u for u in FAMILIES.get(family_of(variable) or "", {}) if u]
    if not units or draw(st.booleans()):
        return Number("literal", (value,))
    unit = draw(st.sampled_from(units))
    return Number("measure", (value, unit, converted(value, unit, family_of(variable))))


def arithmetic(inner):
    pairs = st.tuples(st.sampled_from(["add", "subtract", "multiply", "least", "most"]), inner, inner)
    return st.one_of(pairs.map(lambda t: Number(t[0], t[1:])), inner.map(lambda n: Number("negative", (n,))))


@st.composite
def comparisons(draw, counted):
    variable = draw(st.sampled_from(NUMBERS))
    few = [Number("count", tuple(draw(counted) for _ in range(n))) for n in range(1, draw(st.integers(1, 3)) + 1)]
    leaf = st.one_of(st.just(Number("quantity", (variable,))), measures(variable), st.sampled_from(few))
    side = st.recursive(leaf, arithmetic, max_leaves=3)
    first = Number("quantity", (variable,))  # so that every measure has something to be compared with
    others = draw(st.lists(side, min_size=1, max_size=2))
    signs = draw(st.lists(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), min_size=len(others),
                          max_size=len(others)))  # fmt: skip
    return Comparison((first, *others), tuple(signs))


windows = st.one_of(
    st.none(), st.tuples(st.integers(0, 6), st.integers(0, 6)).map(lambda t: Window(t[0] / 10, (t[0] + t[1]) / 10))
)
leaves = st.one_of(
    st.sampled_from(TRUTHS).map(Name), st.just(Name("junction")), st.booleans().map(Constant),
    st.just(TextComparison("signs.board.text", "==", "DETOUR")),
    st.just(TextComparison("signs.board.text", "!=", "EXIT 2")),
)  # fmt: skip


def applied(operators, inner):
    """Any of these operators over operands from `inner`, with a window where it takes one."""

    def built(o):
        operands = [inner, inner] if issubclass(o, Binary) else [inner]
        window = [windows.filter(bool) if o.window_needed else windows] if o.has_window() else []
        return st.builds(o, *operands, *window)

    return st.one_of([built(o) for o in operators])


def above(inner):
    return st.one_of(applied(OPERATORS.values(), inner), comparisons(inner))


conditions = st.recursive(leaves, above, max_leaves=6)


@settings(max_examples=300, deadline=None)
@given(conditions)
def test_a_printed_condition_reads_back_as_itself(tree):
    assert parse_condition(str(tree), VOCABULARY) == tree


@given(st.data())
def test_no_pair_of_printed_brackets_around_a_formula_can_be_left_out(data):
    text = str(data.draw(conditions))
    tree = parse_condition(text, VOCABULARY)
    for start in (i for i, c in enumerate(text) if c == "(" and (i == 0 or text[i - 1] in " (-")):
        depth, end = 0, start
        for end in range(start, len(text)):
            depth += (text[end] == "(") - (text[end] == ")")
            if depth == 0:
                break
        shorter = text[:start] + text[start + 1 : end] + text[end + 1 :]
        try:
            assert parse_condition(shorter, VOCABULARY) != tree, f"{text} could be {shorter}"
        except RuleError:
            pass


# --------------------------------------------------------------------------------------- four ways of following
def drawn(seed: int, worlds: int, ticks: int) -> dict[str, np.ndarray]:
    """Values of every variable: (worlds, ticks)."""
    rng = np.random.default_rng(seed)
    shape = (worlds, ticks)
    values = {name: rng.random(shape) < rng.choice([0.1, 0.5, 0.9]) for name in TRUTHS}
    values |= {name: rng.integers(0, 4, shape).astype(float) for name in NUMBERS}
    values["ego.junctions"] = rng.integers(0, 2, shape).cumsum(1)
    values["signs.board.text"] = rng.choice(["DETOUR", "EXIT 2", ""], shape)
    return values


@settings(max_examples=250, deadline=None)
@given(conditions, st.integers(0, 2**16))
def test_trace_monitor_and_slow_twin_agree_at_every_tick(tree, seed):
    values = drawn(seed, 3, 12)
    found = evaluate_trace(tree, values, TICK)
    assert found.dtype == bool and found.shape == (3, 12)
    slow = [
        [twin.holds(tree, {k: v[w] for k, v in values.items()}, t, TICK) for t in range(12)] for w in range(3)
    ]  # fmt: skip
    assert found.tolist() == slow
    monitor = Monitor([tree], TICK)
    memory = monitor.begin(3)
    for t in range(12):
        (truth,), memory = monitor.step({k: v[:, t] for k, v in values.items()}, memory)
        assert truth.tolist() == found[:, t].tolist(), t
    assert memory.shape == (3, monitor.width) and memory.dtype == np.float32


def test_a_monitor_leaves_the_memory_that_it_is_given_and_worlds_have_pasts_of_their_own():
    tree = parse_condition("once[0.2s, 0.4s] actors.a.present and count(actors.b.present) >= 2", VOCABULARY)
    values, monitor = drawn(3, 4, 20), Monitor([tree])
    whole = evaluate_trace(tree, values)
    memory = monitor.begin(4)
    for t in range(20):
        before = memory.copy()
        rows = {k: v[:, t] for k, v in values.items()}
        (truth,), after = monitor.step(rows, memory)
        assert np.array_equal(memory, before) and truth.tolist() == whole[:, t].tolist()
        alone = monitor.step({k: v[2:3] for k, v in rows.items()}, memory[2:3])
        assert alone[0][0].tolist() == truth[2:3].tolist() and np.array_equal(alone[1], after[2:3])
        memory = after


def test_a_monitors_width_is_that_of_its_windows_and_not_of_time():
    def width(text: str) -> int:
        return Monitor([parse_condition(text, VOCABULARY)]).width

    a = "actors.a.present"
    assert width(a) == 0
    assert width(f"once {a}") == width(f"always {a}") == width(f"once[0s, 120s] {a}") == width(f"{a} since {a}") == 1
    assert width(f"count({a}) > 3") == 2 and width(f"previously {a}") == 1
    assert width(f"once[1s, 2s] {a}") == 10 + 1
    assert width(f"throughout[0s, 120s] {a}") == 1 and width(f"throughout[1s, 2s] {a}") == 10 + 1
    both = [parse_condition(f"once {a}", VOCABULARY), parse_condition(f"not once {a}", VOCABULARY)]
    assert Monitor(both).width == 1, "the same part is followed once"


def test_at_the_start_nothing_was_and_all_that_was_held():
    values = {"actors.a.present": np.array([[True, False, True]])}

    def truth(text: str) -> list[bool]:
        return evaluate_trace(parse_condition(text, VOCABULARY), values)[0].tolist()

    assert truth("previously actors.a.present") == [False, True, False]
    assert truth("once[0.1s, 0.1s] actors.a.present") == [False, True, False]
    assert truth("always[0.1s, 0.1s] actors.a.present") == [True, True, False]
    assert truth("count(actors.a.present) == 1") == [True, True, False]


def test_throughout_holds_once_something_has_lasted_and_not_before():
    values = {"actors.a.present": np.array([[True, True, True, False, True, True, True]])}

    def truth(text: str) -> list[int]:
        return np.flatnonzero(evaluate_trace(parse_condition(text, VOCABULARY), values)[0]).tolist()

    assert truth("throughout[0s, 0.2s] actors.a.present") == [2, 6]
    assert truth("always[0s, 0.2s] actors.a.present") == [0, 1, 2, 6], "always ignores what was before the start"
    assert truth("throughout[0.1s, 0.2s] actors.a.present") == [2, 3, 6]
    with pytest.raises(RuleError, match=r"'actors.a.present' is not expected here"):
        parse_condition("throughout actors.a.present", VOCABULARY)


def test_a_window_that_no_tick_falls_into_is_refused():
    tree = parse_condition("once[0.01s, 0.05s] actors.a.present", VOCABULARY)
    with pytest.raises(ValueError, match=r"no tick of 0.1 s falls into the window \[0.01s, 0.05s\]"):
        Monitor([tree])


def test_a_variable_without_values_is_named_with_those_that_have_some():
    tree = parse_condition("once actors.a.present", VOCABULARY)
    with pytest.raises(ValueError, match=r"no values for 'actors.a.present'; given are actors.b.present; did you mean"):
        evaluate_trace(tree, {"actors.b.present": np.ones((1, 2), bool)})
    with pytest.raises(ValueError, match=r"no value for 'actors.a.present'; given are none"):
        Monitor([tree]).step({}, Monitor([tree]).begin(1))
    assert reads(tree, Name("junction")) == ("actors.a.present", "ego.junctions")


# ---------------------------------------------------------------------------------- somebody else's monitor
plain = st.sampled_from(TRUTHS[:2]).map(Name)
NOT_IN_RTAMT = ("xor", "previously")  # its xor has no robustness, and its prev holds at tick 0
temporal = st.recursive(
    plain, lambda inner: applied([o for w, o in OPERATORS.items() if w not in NOT_IN_RTAMT], inner), max_leaves=4
)


def in_stl(tree, fresh) -> str:
    """A condition in rtamt's words; a tick is its unit of time.

    Every leaf gets a variable of its own, such as `a3`: rtamt keeps one memory for equal texts, and updates it once for
    each of them.
    """
    bounds = ""
    if (window := getattr(tree, "window", None)) is not None:
        bounds = f"[{round(window.first * 10)}:{round(window.last * 10)}]"
    match tree:
        case Name(name):
            return f"({name.split('.')[1]}{next(fresh)} > 0)"
        case Not(operand):
            return f"(not {in_stl(operand, fresh)})"
        case Once(operand) | Historically(operand):
            return f"({'once' if isinstance(tree, Once) else 'historically'}{bounds} {in_stl(operand, fresh)})"
        case Throughout(operand):
            start = f"[{round(tree.window.last * 10)}:{round(tree.window.last * 10)}]"  # there was such a tick
            return f"(historically{bounds} {in_stl(operand, fresh)} and once{start} {in_stl(operand, fresh)})"
    if isinstance(tree, Iff):  # which has no robustness but 0 there
        return in_stl(And(Implies(tree.left, tree.right), Implies(tree.right, tree.left)), fresh)
    return f"({in_stl(tree.left, fresh)} {tree.word}{bounds} {in_stl(tree.right, fresh)})"


@settings(max_examples=150, deadline=None)
@given(temporal, st.integers(0, 2**16))
def test_rtamt_says_the_same_of_every_tick(tree, seed):
    rtamt = pytest.importorskip("rtamt", reason="the oracle of temporal logic is in the extra `test`")
    values = {k: v for k, v in drawn(seed, 1, 12).items() if k in TRUTHS[:2]}
    spec = rtamt.StlDiscreteTimeSpecification()
    text = in_stl(tree, itertools.count())
    variables = re.findall(r"[ab]\d+", text)
    for name in (*variables, "out"):
        spec.declare_var(name, "float")
    spec.set_sampling_period(1, "s", 0.1)
    spec.spec = f"out = {text}"
    spec.parse()
    signed = {name: np.where(values[f"actors.{name[0]}.present"][0], 1.0, -1.0).tolist() for name in variables}
    rows = [[(name, signed[name][t]) for name in variables] for t in range(12)]
    robust = [spec.update(t, row) for t, row in enumerate(rows)]
    assert [r > 0 for r in robust] == evaluate_trace(tree, values, TICK)[0].tolist()


# ------------------------------------------------------------------------------------------------- in words
@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("once[0,10s] actors.a.present", "once[0s, 10s] actors.a.present"),
        ("once[500 ms, 2min] junction", "once[0.5s, 120s] junction"),
        ("not once actors.a.present and previously junction", "not once actors.a.present and previously junction"),
        ("count( junction )+1==number( signs.board )", "count(junction) + 1 == number(signs.board)"),
        ('once reading("EXIT") == 2', 'once reading("EXIT") == 2'),
        ("ego.speed > 30km/h", "ego.speed > 30 km/h"),
        ("signs.board.weathering<30%", "signs.board.weathering < 30 %"),
    ],
)
def test_what_is_read_prints_in_one_way(text, read):
    assert str(parse_condition(text, VOCABULARY)) == read


@pytest.mark.parametrize(
    ("text", "value"),
    [("ego.speed > 36 km/h", 10.0), ("ego.speed > 5 m/s", 5.0), ("actors.a.distance < 0.02 km", 20.0),
     ("signs.board.weathering < 30 %", 0.3), ("weather.precipitation > 20 %", 20.0),
     ("weather.sun_altitude_angle < 6 deg", 6.0)],
)  # fmt: skip
def test_a_measure_is_taken_in_the_variables_own_unit(text, value):
    assert parse_condition(text, VOCABULARY).numbers[1].operands[-1] == value


@pytest.mark.parametrize(
    ("text", "said", "pointed"),
    [
        ("ego.speed > 30 deg", "'ego.speed' is in m/s, which 'deg' does not fit; known are m/s, km/h, mph", "deg"),
        ("ego.speed > 30 kmh", "did you mean 'km/h'?", "kmh"),
        ("weather.fog_falloff > 3 %", "'weather.fog_falloff' has no unit, which '%' does not fit; wanted a bare", "%"),
        ("count(junction) > 3 m", "'3 m' is measured, and nothing beside it is; wanted a bare number", "m"),
        ("ego.speed > actors.a.distance - 3 m", "ego.speed in m/s, actors.a.distance in m at once", "m"),
        ("once[3s, 1s] junction", "the window ends 1 s ago and begins 3 s ago; wanted the less first", "[3s, 1s]"),
        ("once[3m, 4m] junction", "'m' is no unit of time; known are s, ms, min, h", "m"),
        ("sign(\"DETUOR\")", "no board ever says \"DETUOR\"; they can say \"DETOUR\", \"EXIT 2\"; did you mean",
         '"DETUOR"'),
        ("once sign(\" \")", "asks for no words", '" "'),
        ("number(signs.bord) > 1", "unknown sign 'signs.bord'; known are signs.board; did you mean", "signs.bord"),
        ("ego.speed", "'ego.speed' is a number, not true or false; wanted a comparison such as", "ego.speed"),
        ("count(junction)", "'count(junction)' is a number, not true or false", "count(junction)"),
        ("once ego.speed + 1", "'ego.speed + 1' is a number, not true or false", "ego.speed + 1"),
        ("(junction or junction) > 2", "is true or false, not a number", "junction or junction"),
        ("onc junction", "'junction' is not expected here", "junction"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_a_sentence_with_a_caret_under_the_word(text, said, pointed):
    with pytest.raises(RuleError) as caught:
        parse_condition(text, VOCABULARY)
    message, line, caret = str(caught.value).split("\n")
    assert said in message, message
    assert line[caret.index("^") : caret.rindex("^") + 1] == pointed


@pytest.mark.parametrize("text", ['sign("DETOUR")', 'once junction and not sign("DETOUR")', 'reading("EXIT") == 2'])
def test_a_board_cannot_be_read_any_more_when_the_decision_falls(text):
    with pytest.raises(RuleError, match="wanted the past, such as 'once"):
        parse_proposition("p", text, ("a", "b"), ("board",), {"signs.board.text": ("DETOUR", "EXIT 2")})
