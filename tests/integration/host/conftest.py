"""One host for the tests that harm only plugins, and a host of its own for each of the others."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.plugins import House, open_house

BYSTANDER = """
class Main(Plugin):
    @tool(read_only=True)
    async def echo(self, value: Any) -> Any:
        return value
"""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[House]:
    """A host with an innocent plugin, for a whole module."""
    patience = {"runtime__crash_max": 50, "runtime__start_timeout_s": 1.5}
    async with open_house(tmp_path_factory.mktemp("shared"), **patience) as house:
        await house.add("bystander", BYSTANDER)
        await house.call("bystander", "echo", {"value": 0})
        yield house
