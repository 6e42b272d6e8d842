"""Clients that keep a server busy: they count what they did, and one that hangs is told apart from one that fails."""

from __future__ import annotations

import signal

import pytest

from sim.carla import load_clients as loads


def test_a_client_works_as_long_as_it_is_told_and_says_how_often(port: int) -> None:
    driver = loads.Driver(port, "spawns")
    try:
        once, _ = driver.measure(0.0)
        many, took = driver.measure(0.5)
        assert once == 1.0 and many > 10.0 and 0.5 <= took < 5.0
    finally:
        driver.close()


def test_a_client_that_hangs_is_ended_and_said_to_hang(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loads, "TIMEOUT", 0.5)
    driver = loads.Driver(port, "calls")
    driver._process.send_signal(signal.SIGSTOP)
    with pytest.raises(TimeoutError, match=r"was not done 0\.5 s after its time"):
        driver.measure(0.1)
    assert driver._process.wait(10) == -signal.SIGKILL
    driver.close()


def test_a_client_that_fails_is_not_said_to_hang(port: int) -> None:
    driver = loads.Driver(port, "tea")
    with pytest.raises(ValueError, match="ended with 1"):
        driver.measure(0.1)
    driver.close()
