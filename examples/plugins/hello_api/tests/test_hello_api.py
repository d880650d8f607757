"""What the plugin answers, by tool and by route."""

from somnus_plugins.testing import PluginUnderTest


async def test_the_tool_greets_by_name(plugin: PluginUnderTest) -> None:
    assert await plugin.call("hello", {"name": "Ada"}) == "Hello, Ada!"
    assert [tool.name for tool in plugin.contributions.tools] == ["hello"]


async def test_the_route_greets_by_name(plugin: PluginUnderTest) -> None:
    answer = await plugin.http.get("/hello/Ada")

    assert answer.status_code == 200
    assert answer.json() == "Hello, Ada!"
