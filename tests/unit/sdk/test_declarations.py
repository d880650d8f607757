"""Decorators mark a method and change nothing else."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from somnus_plugins.sdk import InvalidPlugin, Plugin, cron, delete, every, get, on, patch, post, put, tool, websocket
from somnus_plugins.sdk.declarations import (
    DeclaredMethod,
    RouteDeclaration,
    ScheduleDeclaration,
    SubscriptionDeclaration,
    ToolDeclaration,
    declared_methods,
    seconds,
)


def declarations(kind: type) -> list[tuple[str, Any]]:
    return [(each.attribute, each.declaration) for each in declared_methods(kind)]


@pytest.mark.parametrize(
    "decorator",
    [tool, tool(read_only=True), get("/a"), websocket("/a"), on("a.b"), every("1s"), cron("0 7 * * *")],
    ids=["tool", "tool called", "get", "websocket", "on", "every", "cron"],
)
def test_a_decorator_returns_the_very_function(decorator: Callable[[Any], Any]) -> None:
    async def search(self: Any, query: str) -> str:
        """Find."""
        return query

    assert decorator(search) is search
    assert search.__doc__ == "Find."


def test_a_bare_tool_has_the_method_name_and_no_flags() -> None:
    class Notes(Plugin):
        @tool
        async def search(self) -> None: ...

    assert declarations(Notes) == [
        ("search", ToolDeclaration(name="search", title="", read_only=False, idempotent=False, timeout_s=None))
    ]
    assert [each.function for each in declared_methods(Notes)] == [Notes.search]


def test_a_tool_takes_name_title_flags_and_timeout() -> None:
    class Notes(Plugin):
        @tool(read_only=True, idempotent=True, name="find-it", title="Find it", timeout_s=600)
        def search(self) -> None: ...

    ((attribute, made),) = declarations(Notes)

    assert attribute == "search"
    assert made == ToolDeclaration(name="find-it", title="Find it", read_only=True, idempotent=True, timeout_s=600)


@pytest.mark.parametrize("name", ["1st", "has space", "ä", "a" * 65, "dotted.name", "-dash"])
def test_a_name_that_models_cannot_call_is_refused(name: str) -> None:
    with pytest.raises(InvalidPlugin, match="not a name of a tool") as caught:
        tool(name=name)(lambda self: None)

    assert repr(name) in caught.value.message
    assert caught.value.remedy


def test_a_lambda_needs_a_name() -> None:
    with pytest.raises(InvalidPlugin, match="'<lambda>' is not a name"):
        tool(lambda self: None)


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan")])
def test_a_timeout_that_is_none_is_refused(timeout_s: float) -> None:
    with pytest.raises(InvalidPlugin, match="timeout_s") as caught:

        @tool(timeout_s=timeout_s)
        def search(self: Any) -> None: ...

    assert "above 0" in caught.value.message


@pytest.mark.parametrize("wrapper", [staticmethod, classmethod, functools.cache, property])
def test_a_decorator_below_another_wrapper_is_refused_with_its_kind(wrapper: Callable[[Any], Any]) -> None:
    def search(self: Any) -> None: ...

    with pytest.raises(InvalidPlugin, match=r"allowed is an ordinary method") as caught:
        tool(name="search")(wrapper(search))

    assert type(wrapper(search)).__name__ in caught.value.message


@pytest.mark.parametrize("wrapper", [staticmethod, classmethod, functools.cache])
def test_a_wrapper_above_a_decorator_is_refused_when_the_class_is_read(wrapper: Callable[[Any], Any]) -> None:
    @tool
    def search(self: Any) -> None: ...

    Wrapped = type("Wrapped", (Plugin,), {"search": wrapper(search)})  # noqa: N806  # it is a class

    with pytest.raises(InvalidPlugin, match=r"Wrapped\.search is declared, but is a") as caught:
        list(declared_methods(Wrapped))

    assert "ordinary method" in caught.value.message


def test_a_function_that_wraps_as_functools_does_keeps_the_declaration() -> None:
    def logged(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def wrapper(*arguments: Any) -> Any:
            return method(*arguments)

        return wrapper

    class Notes(Plugin):
        @logged
        @tool
        def search(self) -> None: ...

    ((attribute, made),) = declarations(Notes)

    assert (attribute, made.name) == ("search", "search")


def test_one_method_may_be_several_things_in_the_order_in_which_it_is_read() -> None:
    class Notes(Plugin):
        @tool
        @get("/search")
        @on("a.b")
        @on("c.*")
        async def search(self) -> None: ...

    kinds = [type(made) for _, made in declarations(Notes)]

    assert kinds == [ToolDeclaration, RouteDeclaration, SubscriptionDeclaration, SubscriptionDeclaration]
    assert [made.pattern for _, made in declarations(Notes)[2:]] == ["a.b", "c.*"]


def test_declarations_come_in_the_order_of_the_source_bases_first() -> None:
    class Searching(Plugin):
        @tool
        def zebra(self) -> None: ...

        @tool
        def apple(self) -> None: ...

    class Notes(Searching):
        @tool
        def middle(self) -> None: ...

    assert [attribute for attribute, _ in declarations(Notes)] == ["zebra", "apple", "middle"]
    assert [attribute for attribute, _ in declarations(Searching)] == ["zebra", "apple"]


def test_a_method_that_is_replaced_without_a_decorator_is_no_longer_declared() -> None:
    class Searching(Plugin):
        @tool
        def search(self) -> None: ...

        @tool
        def ingest(self) -> None: ...

    class Notes(Searching):
        def search(self) -> None: ...

        @tool(title="Read in")
        def ingest(self) -> None: ...

    assert [attribute for attribute, _ in declarations(Notes)] == ["ingest"]
    assert declarations(Notes)[0][1].title == "Read in"


def test_what_is_declared_names_its_function() -> None:
    class Notes(Plugin):
        @every("1s")
        def tick(self) -> None: ...

    (found,) = declared_methods(Notes)

    assert isinstance(found, DeclaredMethod)
    assert found.function is Notes.tick


# --- routes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decorator", [get, post, put, patch, delete, websocket])
def test_a_route_keeps_path_and_every_keyword(decorator: Callable[..., Any]) -> None:
    class Notes(Plugin):
        @decorator("/a/{b}", tags=["x"], name="n")
        async def page(self) -> None: ...

    ((_, made),) = declarations(Notes)

    assert made == RouteDeclaration(verb=decorator.__name__, path="/a/{b}", keywords={"tags": ["x"], "name": "n"})


@pytest.mark.parametrize("path", ["", "search", "http://x/", None, 3])
def test_a_path_without_a_slash_is_refused(path: Any) -> None:
    with pytest.raises(InvalidPlugin, match="@get") as caught:
        get(path)

    assert repr(path) in caught.value.message
    assert '@get("/search")' in caught.value.remedy


def test_a_route_without_parentheses_is_refused() -> None:
    with pytest.raises(InvalidPlugin, match="@post") as caught:

        @post  # type: ignore[arg-type]  # the very mistake
        async def page(self: Any) -> None: ...

    assert "begins with a slash" in caught.value.message


# --- events and times ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["memory.stored", "notes.*", "*", "a", "*.failed", "a-b.c_d.9"])
def test_a_pattern_is_taken_as_it_is(pattern: str) -> None:
    class Notes(Plugin):
        @on(pattern)
        async def remember(self) -> None: ...

    assert declarations(Notes) == [("remember", SubscriptionDeclaration(pattern=pattern))]


@pytest.mark.parametrize("pattern", ["", ".", "a..b", "a.", "a b", "a.b*", "ä", None, 3])
def test_what_is_no_pattern_is_refused(pattern: Any) -> None:
    with pytest.raises(InvalidPlugin, match="not a pattern") as caught:
        on(pattern)

    assert repr(pattern) in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("interval", "expected_s"),
    [
        ("500ms", 0.5),
        ("15s", 15),
        ("15m", 900),
        ("2h30m", 9_000),
        ("1d", 86_400),
        ("1d1h1m1s1ms", 90_061.001),
        ("1m500ms", 60.5),
        ("90m", 5_400),
    ],
)
def test_an_interval_is_read_as_seconds(interval: str, expected_s: float) -> None:
    class Notes(Plugin):
        @every(interval)
        async def tick(self) -> None: ...

    assert seconds(interval) == pytest.approx(expected_s)
    assert declarations(Notes) == [("tick", ScheduleDeclaration(every_s=seconds(interval)))]


@pytest.mark.parametrize("interval", ["", "15", "m", "1.5h", "-1s", "1s1m", "0s", "0d0h", "15 m", "1w", "1M", None, 15])
def test_what_is_no_interval_is_refused(interval: Any) -> None:
    with pytest.raises(InvalidPlugin, match="not an interval") as caught:
        every(interval)

    assert repr(interval) in caught.value.message
    assert "2h30m" in caught.value.remedy


def test_a_cron_expression_has_five_fields() -> None:
    class Notes(Plugin):
        @cron("  0 7  * * 1-5 ")
        async def morning(self) -> None: ...

    assert declarations(Notes) == [("morning", ScheduleDeclaration(cron="0 7 * * 1-5"))]


@pytest.mark.parametrize("expression", ["", "0 7 * *", "0 0 7 * * *", "@daily", None])
def test_another_number_of_fields_is_refused(expression: Any) -> None:
    with pytest.raises(InvalidPlugin, match="five fields") as caught:
        cron(expression)

    assert repr(expression) in caught.value.message
    assert "0 7 * * *" in caught.value.remedy
