"""The online code on planted data: it finds what is linearly there and not what only follows from it."""

from __future__ import annotations

import numpy as np
import pytest

from probes.controls import random_labels
from probes.mdl import common_size, matched, online_codelength, rank_formulas


def planted(rng: np.random.Generator, codes: list[str], n: int = 400, width: int = 32) -> tuple[np.ndarray, dict]:
    """Latents (n, width): a random direction for each named code, plus noise; and the truth tables."""
    p, q = rng.random(n) < 0.5, rng.random(n) < 0.5
    tables = {"p": p, "q": q, "p and q": p & q, "p or q": p | q, "p xor q": p ^ q, "p and not q": p & ~q}
    x = rng.normal(size=(n, width)) * 0.4
    for code in codes:
        x += np.outer(tables[code] * 2.0 - 1.0, rng.normal(size=width) / width**0.5 * 3)
    return x, tables


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["p", "p and q", "p or q", "p xor q"])
def test_the_planted_formula_ranks_first(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, tables = planted(rng, [name])
    scores = rank_formulas(x, tables, rng)
    assert scores[0].name == name and scores[0].compression < 0.4
    assert scores[1].bits > scores[0].bits + 10


@pytest.mark.parametrize("seed", range(4))
def test_xor_does_not_win_where_only_its_premises_are_there(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, tables = planted(rng, ["p", "q"])
    scores = rank_formulas(x, tables, rng)
    by_name = {score.name: score for score in scores}
    assert {scores[0].name, scores[1].name} == {"p", "q"}
    assert by_name["p xor q"].compression > 0.95 and scores[-1].name == "p xor q"


def test_and_is_dearer_than_its_premises_where_only_they_are_there() -> None:
    """Two linear premises give AND away to a linear probe; the code, not the accuracy, keeps them apart."""
    rng = np.random.default_rng(0)
    x, tables = planted(rng, ["p", "q"])
    by_name = {score.name: score for score in rank_formulas(x, tables, rng)}
    assert by_name["p and q"].accuracy > 0.9
    assert by_name["p and q"].bits > 1.1 * max(by_name["p"].bits, by_name["q"].bits)


def test_every_formula_is_coded_over_as_many_episodes_half_of_them_true() -> None:
    rng = np.random.default_rng(1)
    x, tables = planted(rng, ["p"])
    for score in rank_formulas(x, tables, rng):
        assert score.n == common_size(tables) == len(set(score.episodes.tolist()))
        assert tables[score.name][score.episodes].sum() == score.n // 2
        assert score.per_episode.sum() == pytest.approx(score.bits)
        assert score.compression == score.bits / score.n


def test_a_formula_and_its_negation_cost_the_same() -> None:
    rng = np.random.default_rng(2)
    x, tables = planted(rng, ["p and q"])
    scores = rank_formulas(x, {"yes": tables["p and q"], "no": ~tables["p and q"]}, rng)
    assert scores[0].bits == pytest.approx(scores[1].bits, rel=1e-6)


def test_the_same_seed_gives_the_same_ranking_and_episodes() -> None:
    x, tables = planted(np.random.default_rng(3), ["p"])
    one, two = (rank_formulas(x, tables, np.random.default_rng(4)) for _ in range(2))
    other = rank_formulas(x[:, ::-1], tables, np.random.default_rng(4))
    assert [(s.name, s.bits) for s in one] == [(s.name, s.bits) for s in two]
    assert {s.name: s.episodes.tolist() for s in one} == {s.name: s.episodes.tolist() for s in other}


def test_random_labels_do_not_compress() -> None:
    rng = np.random.default_rng(5)
    x, _ = planted(rng, ["p"])
    code = online_codelength(x, random_labels(400, 20, rng), rng)
    assert (code.bits > 400).all()  # a probe pays for believing in chance
    assert abs(code.accuracy.mean() - 0.5) < 0.03  # 20 x 376 coins: standard error .006


def test_the_first_block_costs_a_bit_each_and_lengths_return_in_the_episodes_order() -> None:
    rng = np.random.default_rng(6)
    x, tables = planted(rng, ["p"], n=100)
    order = rng.permutation(100)
    code = online_codelength(x, tables["p"][:, None], blocks=(0.1, 0.5, 1.0), order=order)
    assert (code.per_episode[order[:10], 0] == 1.0).all() and (code.per_episode[order[10:], 0] != 1.0).all()
    np.testing.assert_allclose(code.per_episode.sum(0), code.bits)


def test_what_comes_later_does_not_change_an_earlier_block() -> None:
    """The receiver has only what was sent: flipping the last block's labels leaves the others' code alone."""
    rng = np.random.default_rng(7)
    x, tables = planted(rng, ["p"], n=100)
    y, order = tables["p"][:, None].copy(), np.arange(100)
    before = online_codelength(x, y, blocks=(0.1, 0.5, 1.0), order=order).per_episode
    y[50:] = ~y[50:]
    after = online_codelength(x, y, blocks=(0.1, 0.5, 1.0), order=order).per_episode
    assert np.array_equal(before[:50], after[:50]) and after[50:].sum() > before[50:].sum()


def test_matched_is_balanced_and_random() -> None:
    rng = np.random.default_rng(8)
    labels = rng.random(50) < 0.3
    chosen = matched(labels, 16, rng)
    assert len(set(chosen.tolist())) == 16 and labels[chosen].sum() == 8
    assert matched(labels, 16, rng).tolist() != chosen.tolist()


def test_what_cannot_be_ranked_is_refused_by_name() -> None:
    rng = np.random.default_rng(9)
    x = rng.normal(size=(10, 2))
    with pytest.raises(ValueError, match="formula 'always' has 0 episodes of its rarer class"):
        rank_formulas(x, {"half": np.arange(10) < 5, "always": np.ones(10, bool)}, rng)
    with pytest.raises(ValueError, match="9 rows of latents for formulas over 10 episodes"):
        rank_formulas(x[:9], {"half": np.arange(10) < 5}, rng)
    with pytest.raises(ValueError, match="wanted at least 4 of each"):
        matched(np.arange(10) < 2, 8, rng)
    with pytest.raises(ValueError, match=r"wanted ascending shares that end in 1\.0"):
        online_codelength(x, np.ones((10, 1), bool), rng, blocks=(0.5, 0.2))
    with pytest.raises(ValueError, match="neither rng nor order"):
        online_codelength(x, np.ones((10, 1), bool))
