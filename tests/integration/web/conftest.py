"""One host with one plugin on one port, for the tests that leave it as they found it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from tests.integration.web.serving import Site, add_workshop, site
from tests.support.plugins import House, open_house


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[Site]:
    """An attached application with the workshop."""
    async with open_house(tmp_path_factory.mktemp("web"), runtime__crash_max=50) as house:
        await add_workshop(house)
        app = FastAPI()
        house.host.attach(app)
        async with site(app, house.host) as served:
            yield served


@pytest.fixture
async def client(shared: Site) -> AsyncIterator[httpx.AsyncClient]:
    """Carries the token."""
    async with shared.client() as client:
        yield client


@pytest.fixture
async def house(tmp_path: Path, anyio_backend: str) -> AsyncIterator[House]:
    """A host of one's own."""
    async with open_house(tmp_path) as opened:
        yield opened
