"""Say hello, by route and by tool."""

from somnus_plugins.sdk import Plugin, get, tool


class HelloApi(Plugin):
    """Say hello, by route and by tool: a plugin as small as it can be."""

    @tool(read_only=True, idempotent=True)
    @get("/hello/{name}")
    async def hello(self, name: str) -> str:
        """Greet somebody by name."""
        return f"Hello, {name}!"
