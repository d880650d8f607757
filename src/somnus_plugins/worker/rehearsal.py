"""A blank child's dress rehearsal: it serves a plugin of its own once, in memory, before it is given one.

After a fork the first touch of every page is a fault that copies it, and a first call touches a thousand. A child that
waits in the pool has the time to do that before anybody waits for it.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect

import msgspec

from somnus_plugins.sdk import Plugin
from somnus_plugins.wire.memory import connected_pair
from somnus_plugins.wire.methods import LoadOrder
from somnus_plugins.wire.peer import Incoming
from somnus_plugins.worker.dispatch import Dispatcher
from somnus_plugins.worker.loader import assemble

__all__ = ["rehearse"]

ORDER = LoadOrder(
    plugin="somnus/understudy",
    version="0",
    entry_module="somnus_plugins.worker.understudy",
    entry_attribute="Understudy",
    directory="/",
    import_paths=(),
    data="/",
    cache="/",
)


async def rehearse() -> None:
    """Load, start, call: what a wake does, with everything that is ours and nothing that is foreign."""
    importlib.invalidate_caches()
    understudy = importlib.import_module(ORDER.entry_module)
    compile(inspect.getsource(understudy), "understudy", "exec")
    dispatcher = Dispatcher()

    async def refuse(incoming: Incoming) -> None:
        return None

    host, worker = connected_pair(refuse, dispatcher)
    dispatcher.serve(assemble(understudy.Understudy, ORDER, asyncio.get_running_loop()))
    await host.request("start")
    msgspec.msgpack.decode(await host.request("tool", {"lines": {"to be": [1, 2.5, None]}}, "play"))
    host.close()
    worker.close()
    Plugin._running = None
