"""The ways in which two peers can be joined."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from tests.support.wire import Pair, Transport, joined

Join = Callable[..., AbstractAsyncContextManager[Pair]]


@dataclass(frozen=True)
class Way:
    """What the peers run over."""

    transport: Transport
    uvloop: bool

    @property
    def backend(self) -> Any:
        """The loop, as anyio names it."""
        return "asyncio", {"use_uvloop": self.uvloop}


WAYS = {
    "in memory": Way("memory", uvloop=False),
    "over a socket on asyncio": Way("socket", uvloop=False),
    "over a socket on uvloop": Way("socket", uvloop=True),
}


@pytest.fixture(params=WAYS.values(), ids=WAYS.keys())
def way(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def join(way: Way) -> Join:
    return partial(joined, way.transport)
