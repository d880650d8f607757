"""What a class declares is gathered and checked before anything of it runs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from somnus_plugins.errors import InvalidPlugin
from somnus_plugins.sdk import Plugin, every, get, on, tool, websocket
from somnus_plugins.worker.inventory import Inventory


class Notes(Plugin):
    """Some of everything."""

    async def on_prepare(self) -> None: ...

    @tool(name="find")
    async def search(self, query: str) -> str:
        return query

    @get("/a")
    @tool
    async def page(self) -> None: ...

    @websocket("/b")
    async def socket(self) -> None: ...

    @on("a.b")
    @every("1s")
    async def tick(self) -> None: ...


def test_everything_is_gathered_by_kind() -> None:
    found = Inventory.of(Notes)

    assert list(found.tools) == ["find", "page"]
    assert [each.declaration.path for each in found.routes] == ["/a", "/b"]
    assert [each.declaration.pattern for each in found.subscriptions] == ["a.b"]
    assert [each.declaration.every_s for each in found.schedules] == [1.0]


def test_a_tool_is_found_by_the_name_it_is_called_by() -> None:
    tool_found = Inventory.of(Notes).tools["find"]

    assert tool_found.attribute == "search"
    assert tool_found.function is Notes.search


def test_a_plugin_of_nothing_has_an_empty_inventory() -> None:
    class Empty(Plugin): ...

    found = Inventory.of(Empty)

    assert (found.tools, found.routes, found.subscriptions, found.schedules) == ({}, [], [], [])
    assert not found.has_routes
    assert not found.wants_prepare


def test_preparing_is_wanted_where_the_author_wrote_it() -> None:
    class Heir(Notes): ...

    assert Inventory.of(Notes).wants_prepare
    assert Inventory.of(Heir).wants_prepare


def test_a_router_alone_makes_routes() -> None:
    class Routed(Plugin):
        router = object()

    assert Inventory.of(Routed).has_routes
    assert Inventory.of(Routed).router is Routed.router


def test_two_tools_of_one_name_are_refused() -> None:
    class Twice(Plugin):
        @tool
        def search(self) -> None: ...

        @tool(name="search")
        def find(self) -> None: ...

    with pytest.raises(InvalidPlugin, match="search and find are both the tool 'search'") as caught:
        Inventory.of(Twice)
    assert "@tool(name=" in caught.value.remedy


def positional(self: Any, query: str, /) -> None: ...


def anything(self: Any, **query: str) -> None: ...


def any_number(self: Any, *query: str) -> None: ...


@pytest.mark.parametrize(
    ("method", "text"),
    [
        (positional, "`query` by position only"),
        (anything, "any argument (`**query`)"),
        (any_number, "any number of arguments (`*query`)"),
    ],
)
def test_parameters_for_which_there_is_no_schema_are_refused(method: Callable[..., Any], text: str) -> None:
    kind = type("Odd", (Plugin,), {"search": tool(name="search")(method)})

    with pytest.raises(InvalidPlugin, match="tool search") as caught:
        Inventory.of(kind)
    assert text in caught.value.message
    assert "dict[str, Any]" in caught.value.remedy


def ordinary(self: Any, query: str) -> None: ...


def no_parameters() -> None: ...


def only_many(*arguments: Any) -> None: ...


@pytest.mark.parametrize("method", [no_parameters, only_many])
def test_a_method_without_self_is_refused(method: Callable[..., Any]) -> None:
    kind = type("Odd", (Plugin,), {"search": tool(name="search")(method)})

    with pytest.raises(InvalidPlugin, match="has no `self`") as caught:
        Inventory.of(kind)
    assert method.__name__ not in caught.value.remedy


def test_a_wrapper_is_judged_by_what_it_wraps() -> None:
    def logged(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def wrapper(*arguments: Any, **keywords: Any) -> Any:
            return method(*arguments, **keywords)

        return wrapper

    good = type("Good", (Plugin,), {"search": tool(name="search")(logged(ordinary))})
    bad = type("Bad", (Plugin,), {"search": tool(name="search")(logged(anything))})

    assert list(Inventory.of(good).tools) == ["search"]
    with pytest.raises(InvalidPlugin, match="any argument"):
        Inventory.of(bad)


@pytest.mark.parametrize("name", ["id", "version", "data", "log", "wait", "current", "mount"])
def test_a_name_of_the_sdk_may_not_be_used_for_something_else(name: str) -> None:
    kind = type("Taker", (Plugin,), {name: "1.0"})

    with pytest.raises(InvalidPlugin, match=f"Taker defines {name}") as caught:
        Inventory.of(kind)
    assert f"Rename {name}" in caught.value.remedy


def test_a_name_is_found_in_a_base_of_the_authors_too() -> None:
    class Mixin:
        def data(self) -> None: ...

    class Heir(Mixin, Plugin): ...  # type: ignore[misc]  # the very mistake

    with pytest.raises(InvalidPlugin, match="Mixin defines data"):
        Inventory.of(Heir)
    assert "data" in vars(Mixin)


@pytest.mark.parametrize("hook", ["on_prepare", "on_start", "on_stop"])
def test_a_hook_that_is_not_async_is_refused(hook: str) -> None:
    kind = type("Sync", (Plugin,), {hook: lambda self: None})

    with pytest.raises(InvalidPlugin, match=rf"Sync\.{hook} is not `async def`") as caught:
        Inventory.of(kind)
    assert caught.value.remedy == f"Write `async def {hook}(self)`."


@pytest.mark.parametrize("version", [0, -1, "2", 1.5, None])
def test_a_state_version_is_a_whole_number_from_one(version: Any) -> None:
    kind = type("Stateful", (Plugin,), {"state_version": version})

    with pytest.raises(InvalidPlugin, match="state_version is") as caught:
        Inventory.of(kind)
    assert repr(version) in caught.value.message
