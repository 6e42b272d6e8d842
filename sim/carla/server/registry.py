"""The registry of RPC methods by their names on the wire: served, accepted but ignored, or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sim.carla.server.rpc import Method, Refused

METHODS: dict[str, Method] = {}
Call = TypeVar("Call", bound=Callable[..., Any])


def served(name: str, answer: str = "void") -> Callable[[Call], Call]:
    """Register a function as the RPC method of that name; the first line of its docstring describes it."""

    def register(call: Call) -> Call:
        METHODS[name] = Method(name, call, answer, "served", _sentence(call))
        return call

    return register


def ignored(name: str, says: str, answer: str = "void", result: Any = None) -> None:
    """Register a method that is accepted without effect: it returns `result`."""
    METHODS[name] = Method(name, lambda server, *arguments: result, answer, "ignored", says)


def refused(name: str, why: str, answer: str = "void") -> None:
    """Register a method that raises Refused with the reason."""

    def call(server: Any, *arguments: Any) -> Any:
        raise Refused(f"{name} is not served: {why}")

    METHODS[name] = Method(name, call, answer, "refused", why)


def _sentence(call: Callable[..., Any]) -> str:
    return (call.__doc__ or "").strip().splitlines()[0]
