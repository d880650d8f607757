"""How plugins and plans look to a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from somnus_plugins.cli import terminal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from somnus_plugins.host.views import PermissionLine, Plan, PluginDetail, PluginView

__all__ = ["confinement", "masked", "show_changes", "show_detail", "show_plan", "show_settings", "show_state", "sizes"]

HIDDEN = "••••••"
"""Stands for a value that is set and must not be shown."""

_CHANGE_STYLES = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


def sizes(tools: int, routes: int) -> list[str]:
    """How much a plugin adds; what it does not add is left out."""
    return [terminal.count(number, noun) for number, noun in ((tools, "tool"), (routes, "route")) if number]


def confinement(level: str) -> str:
    """The level in a sentence that promises nothing."""
    said = {"none": "plugins can read and change what you can"}
    return f"confinement {level}: {said[level]}" if level in said else f"confinement {level}"


def show_state(console: Console, plugin: PluginView) -> None:
    """One line: which plugin, how it is, and why."""
    from rich.text import Text

    line = Text.assemble(terminal.text(plugin.mount or plugin.id, "bold"), " ", terminal.text(plugin.version), "  ")
    line.append_text(terminal.state(plugin.word))
    if plugin.reason:
        line.append("  ").append_text(terminal.text(plugin.reason, "yellow"))
    console.print(line)


# -- one plugin --------------------------------------------------------------------------------------------------------


def show_detail(console: Console, detail: PluginDetail) -> None:
    """Everything about one plugin."""
    plugin, added = detail.plugin, detail.contributions
    show_state(console, plugin)
    if plugin.description:
        console.print(terminal.text(plugin.description))
    console.print()
    console.print(terminal.indented(terminal.fields(_facts(detail))))
    sections = (
        ("Tools", _tools(added.get("tools", ()))),
        ("Routes", _rows(_routes(plugin.mount, added.get("routes", ())))),
        ("Acts by itself", _rows(_occasions(added))),
        ("May", _rows(_permissions(detail.manifest))),
    )
    for title, table in sections:
        if table.row_count:
            console.print()
            console.print(title, style="bold")
            console.print(terminal.indented(table))
    if added.get("config_schema"):
        console.print()
        console.print("Settings", style="bold")
        show_settings(console, added["config_schema"], detail.config)


def _facts(detail: PluginDetail) -> Iterator[tuple[str, object]]:
    plugin, limits = detail.plugin, detail.limits
    yield "id", plugin.id
    yield "type", plugin.type
    yield "from", detail.directory
    yield "ring", f"{plugin.ring}, signature {plugin.trust}" if plugin.trust != plugin.ring else plugin.ring
    yield "confinement", plugin.sandbox_level
    if detail.pid is not None:
        yield "process", f"{detail.pid}, last used {terminal.ago(detail.idle_s)} ago"
    if detail.starts:
        running = f", {detail.running} running, {detail.waiting} waiting" if detail.running or detail.waiting else ""
        yield "used", f"{terminal.count(detail.calls, 'call')}, {terminal.count(detail.starts, 'start')}{running}"
    yield (
        "limits",
        (
            f"{limits['memory_mb']:g} MiB, {limits['threads']:g} threads, {limits['call_timeout_s']:g} s a call, "
            f"{limits['concurrency']:g} calls at once"
        ),
    )
    yield "tags", ", ".join(plugin.tags)
    yield "strikes", ", ".join(f"{kind} {number}" for kind, number in detail.strikes.items())


def _rows(pairs: Iterator[tuple[str, str]]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(overflow="fold")
    table.add_column(style="dim", overflow="fold")
    for left, right in pairs:
        table.add_row(terminal.text(left), terminal.text(right))
    return table


def _tools(tools: Any) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(overflow="fold")
    for tool in tools:
        marks = [word for key, word in (("streams", "streams"), ("read_only", "read only")) if tool.get(key)]
        parts = [terminal.text(tool["name"], "bold"), terminal.text(_usage(tool), "cyan")]
        head = Text(" ").join(part for part in parts if part)
        table.add_row(head.append(f"  {', '.join(marks)}" if marks else "", "dim"))
        if words := tool.get("description", "").strip():
            table.add_row(terminal.indented(terminal.text(words.partition("\n")[0], "dim")))
    return table


def _usage(tool: Mapping[str, Any]) -> str:
    """How its arguments are given to `call`: `query=text [limit=a whole number from 1 to 50]`."""
    from somnus_plugins.trust.json_schema import allowed_values, properties, required_keys

    schema = tool.get("input_schema", {})
    required = required_keys(schema, schema)
    words = [
        (f"{key}=<{allowed_values(each, schema)}>", key in required) for key, each in properties(schema, schema).items()
    ]
    words.sort(key=lambda pair: not pair[1])
    return " ".join(word if needed else f"[{word}]" for word, needed in words)


def _routes(mount: str, routes: Any) -> Iterator[tuple[str, str]]:
    for route in routes:
        methods = "WEBSOCKET" if route.get("websocket") else " ".join(route.get("methods", ()))
        yield f"{methods} /plugins/{mount}{route['path']}", ""


def _occasions(added: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for each in added.get("subscriptions", ()):
        yield f"on {each['pattern']}", each["method"]
    for each in added.get("schedules", ()):
        when = f"at {each['cron']}" if each.get("cron") else f"every {each.get('every_s', 0):g} s"
        yield when, each["method"]


def _permissions(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    own = manifest.get("tool", {}).get("somnus", {})
    for table, note in (("permissions", ""), ("optional_permissions", "when it asks")):
        for key, value in own.get(table, {}).items():
            for line in _allowed(key, value):
                yield line, note


def _allowed(key: str, value: Any) -> Iterator[str]:
    """What a permission allows, a line for each part; none for a part that allows nothing."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _allowed(f"{key}.{name}", part)
    elif isinstance(value, list):
        if value:
            yield f"{key} = {', '.join(map(str, value))}"
    elif value is True:
        yield key
    elif value not in (False, "none", ""):
        yield f"{key} = {value}"


def _planned(line: PermissionLine) -> Iterator[str]:
    """The same of a plan, which holds all but words as JSON."""
    import msgspec

    try:
        value = msgspec.json.decode(line.value)
    except (msgspec.DecodeError, RecursionError):
        value = line.value
    for each in _allowed(line.key, value):
        yield f"{each} (when it asks)" if line.optional else each


def masked(schema: Mapping[str, Any] | None, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with a sign in place of each that must not be shown."""
    from somnus_plugins.trust.json_schema import is_hidden, properties

    root = dict(schema or {})
    known = properties(root, root)
    return {key: HIDDEN if is_hidden(known.get(key), root) else value for key, value in values.items()}


def show_settings(console: Console, schema: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """The settings of a plugin, with their values, and which are missing."""
    from somnus_plugins.trust.json_schema import allowed_values, properties, required_keys

    root = dict(schema)
    table = terminal.columns("setting", "value", "about", folded=2)
    required, shown = required_keys(root, root), masked(root, values)
    for key, each in properties(root, root).items():
        if key in values:
            value = terminal.text(terminal.json_text(shown[key]), "green")
        elif key in required:
            value = terminal.text("needs a value", "yellow")
        else:
            value = terminal.text(terminal.json_text(_default(each)), "dim")
        about = _about(each)
        table.add_row(terminal.text(key), value, terminal.text(f"{about} ({allowed_values(each, root)})".strip()))
    console.print(terminal.indented(table))


def _default(schema: Any) -> Any:
    return schema.get("default") if isinstance(schema, dict) else None


def _about(schema: Any) -> str:
    return str(schema.get("description", "")).partition("\n")[0] if isinstance(schema, dict) else ""


# -- plans -------------------------------------------------------------------------------------------------------------


def show_plan(console: Console, plan: Plan) -> None:
    """What an installation would do."""
    from rich.text import Text

    verb = f"update {plan.replaces} → {plan.version}" if plan.replaces else f"install {plan.version}"
    verb = f"install {plan.version} again" if plan.replaces == plan.version else verb
    named = terminal.text(f"as {plan.mount}: {verb}")
    console.print(Text.assemble(terminal.text(plan.id, "bold"), " ", named))
    if plan.description:
        console.print(terminal.text(plan.description))
    console.print()
    permissions = [line for each in plan.permissions for line in _planned(each)]
    facts = [
        ("from", plan.directory),
        ("ring", plan.ring),
        ("confinement", plan.sandbox_level),
        *_block("may", permissions or ["nothing"]),
        *_block("needs", [f"a value for {key}" for key in plan.unset], "yellow"),
    ]
    console.print(terminal.indented(terminal.fields(facts)))
    show_changes(console, plan.adds)
    for warning in plan.warnings:
        console.print(terminal.text(warning, "yellow"))


def _block(name: str, lines: list[str], style: str = "") -> list[tuple[str, Text]]:
    return [(name if number == 0 else "", terminal.text(line, style)) for number, line in enumerate(lines)]


def show_changes(console: Console, changes: tuple[str, ...]) -> None:
    """What differs in what a plugin adds, a line each."""
    from rich.text import Text

    for change in changes:
        kind, _, rest = change.partition(" ")
        sign, style = _CHANGE_STYLES.get(kind, ("·", ""))
        console.print(Text.assemble("  ", (f"{sign} ", style), terminal.text(rest)))
