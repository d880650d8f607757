"""The pages for whoever runs plugins: command line, HTTP, operations, Python."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
import typer.main
from docs.generator.markdown import (
    anchor,
    attribute_docs,
    attribute_types,
    block,
    code,
    fields,
    flowed,
    page,
    prose,
    table,
    type_name,
    value,
)
from docs.generator.plugins import described, described_class

import somnus_plugins
from somnus_plugins import testing
from somnus_plugins.cli.application import VERBS, application
from somnus_plugins.cli.failures import DEBUG_VARIABLE, INTERRUPTED
from somnus_plugins.cli.inspection import Finding, Inspection
from somnus_plugins.errors import RefusedError, SomnusError, UsageError
from somnus_plugins.host import administration, plugin_host, views
from somnus_plugins.host.operations import OPERATIONS, Operation
from somnus_plugins.runtime.logs import LogLine
from somnus_plugins.settings import WebSettings
from somnus_plugins.testing import pytest_plugin
from somnus_plugins.web import inbound, outbound, tools
from somnus_plugins.web.gates import WAYS, Area, Clearance, Way

__all__ = ["cli_page", "http_page", "operations_page", "python_page"]

RECORDS: Final = (views.PluginView, views.PluginDetail, views.HostView, views.Plan, views.PermissionLine, LogLine)


def _linked(kind: str, target: str = "operations.md") -> str:
    """The records of `RECORDS` in a type, as links to where they are written out."""
    names = "|".join(each.__name__ for each in RECORDS)
    return re.sub(rf"\b({names})\b", lambda match: f"[{match[1]}]({target}#{anchor(match[1])})", kind)


# --- command line ----------------------------------------------------------------------------------------------------


def cli_page() -> str:
    """Every verb with its arguments, options and JSON."""
    group: Any = typer.main.get_command(application())
    shared = [each for each in group.params if not each.opts[0].endswith("-completion")]
    statuses = [
        ("0", "Done."),
        (str(SomnusError.exit_code), "Failed; the code of the error says how."),
        (str(UsageError.exit_code), "The command line, a name, a manifest or a setting is wrong."),
        (str(RefusedError.exit_code), "Refused by policy, or somebody has to agree and nobody is there."),
        (str(INTERRUPTED), "Interrupted with Ctrl-C."),
    ]
    return page(
        "Command line",
        CLI_INTRODUCTION,
        "## Options everywhere",
        _parameters(shared),
        "## Exit status",
        table(["status", "meaning"], statuses),
        "## Environment",
        table(["variable", "meaning"], CLI_ENVIRONMENT),
        "## Verbs",
        *(_verb(name, group.commands[name]) for name in VERBS),
        "## Records of `check`",
        *(f"### `{each.__name__}`\n\n{flowed(each.__doc__)}\n\n{fields(each)}" for each in (Inspection, Finding)),
    )


def _verb(name: str, command: Any) -> str:
    own = [each for each in command.params if each.rich_help_panel != "Everywhere"]
    words = [_word(each) for each in own if each.param_type_name == "argument"]
    usage = " ".join(["somnus-plugins", name, *words, "[OPTIONS]"])
    parts = [f"### `{name}`", block(usage), prose(command.help)]
    return "\n\n".join([*parts, *filter(None, [_parameters(own)]), f"With `--json`: {_linked(CLI_JSON[name])}"])


def _word(parameter: Any) -> str:
    shown = f"{parameter.metavar}{'…' if parameter.nargs == -1 or parameter.multiple else ''}"
    return shown if parameter.required else f"[{shown}]"


def _parameters(found: Iterable[Any]) -> str:
    rows = [(code(_spelled(each)), _needed(each), each.help) for each in found]
    return table(["word", "default", "meaning"], rows) if rows else ""


def _spelled(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return _word(parameter).strip("[]")
    return f"{', '.join(parameter.opts)} {parameter.metavar or ''}".rstrip()


def _needed(parameter: Any) -> str:
    if parameter.required:
        return "required"
    return "" if parameter.default in (None, False) else code(value(parameter.default))


CLI_JSON: Final = {
    "create": "`{name, directory, files}`; the files relative to the directory.",
    "check": "an [Inspection](#inspection).",
    "dev": "a line `{address, token_file}`, then a line for each event: `{event: 'reload', ok, seconds, changes, "
    "plugin}` or `{event: 'reload', ok: false, error}`, and `{event: 'log', line}` with a LogLine.",
    "serve": "one line `{address, token_file}` once it serves. The token itself is not written.",
    "list": "a list of PluginView.",
    "info": "a PluginDetail. Values of settings that the schema marks as secret are masked.",
    "call": "the result; of a stream, one line for each item.",
    "logs": "a list of LogLine; with `--follow`, one line for each.",
    "config": "`{plugin, state, schema, values, unset}`.",
    "install": "`{plan, plugin}` with a Plan and a PluginView, which is `null` after `--dry-run`. Where somebody has "
    "to agree, the error `consent_required` with the plan in `data`.",
    "uninstall": "the last PluginView.",
    "enable": "a PluginView.",
    "disable": "a PluginView.",
}

CLI_INTRODUCTION: Final = """\
`somnus-plugins`, `somnus` and `python -m somnus_plugins` are the same command. A host that runs is used; without one, a
verb starts what it needs and ends it. With `--json`, standard output is one JSON document (a line each for streams) and
an error is `{"error": {"code", "message", "remedy"}}`, with `data` where there are facts. Shell completion:
`somnus-plugins --install-completion`."""

CLI_ENVIRONMENT: Final = (
    ("`SOMNUS_HOME`", "The home, where `--home` does not name one."),
    ("`SOMNUS_<GROUP>__<NAME>`", "A setting; see [Settings](settings.md)."),
    (code(DEBUG_VARIABLE), "`1` shows the traceback behind an error."),
)

# --- HTTP ------------------------------------------------------------------------------------------------------------

PREFIXES: Final = {Area.PAGE: "", Area.PLUGINS: "/plugins", Area.API: WebSettings().api_prefix}


def http_page() -> str:
    """Every way into the host, who passes, what is answered; what is done to headers."""
    gates = ((code(each.value), attribute_docs(Clearance)[each.name]) for each in Clearance)
    return page(
        "HTTP",
        HTTP_INTRODUCTION,
        table(["who", "means"], gates),
        "## Ways",
        table(["method", "path", "who", "takes", "answers"], map(_way, WAYS)),
        HTTP_NOTES,
        "## Tools",
        HTTP_TOOLS.format(types=", ".join(code(each.decode()) for each in tools.FORMATS)),
        "## Problems",
        HTTP_PROBLEMS,
        table(["status", "code", "meaning"], HTTP_CODES),
        "## Headers of a request",
        HTTP_INBOUND,
        table(
            ["never reaches a plugin", "names"],
            (
                ("looked at by the host, then dropped", _names(inbound.NOTED)),
                ("dropped", _names(inbound.DROPPED - inbound.NOTED)),
                ("dropped, whatever follows", _names(inbound.DROPPED_PREFIXES)),
            ),
        ),
        "## Headers of an answer",
        HTTP_OUTBOUND.format(count=outbound.HEADERS_MAX, size=outbound.HEADERS_MAX_BYTES // 1024),
        table(
            ["of a plugin's answer", "names"],
            (
                ("dropped", _names(outbound.DROPPED)),
                ("dropped, whatever follows", _names(outbound.DROPPED_PREFIXES)),
                ("added", ", ".join(code(f"{name.decode()}: {text.decode()}") for name, text in outbound.ADDED)),
            ),
        ),
        "## Names that are answered",
        HTTP_HOSTS,
    )


def _names(found: Iterable[bytes]) -> str:
    return ", ".join(code(each.decode()) for each in sorted(found))


def _way(way: Way) -> tuple[str, str, str, str, str]:
    takes, answers = HTTP_WAYS.get((way.method, way.path), ("", ""))
    if way.operation:
        operation = OPERATIONS[way.operation]
        given = [
            each.name for each in msgspec.structs.fields(operation.arguments) if f"{{{each.name}}}" not in way.path
        ]
        place = "query" if way.method in ("GET", "DELETE") else "body"
        takes = takes or (f"{place}: {', '.join(map(code, given))}" if given else "")
        shown = _linked(type_name(operation.result))
        answers = f"[`{way.operation}`](operations.md#{anchor(way.operation)}): {shown}"
    method = "any" if way.method == "*" else way.method
    return method, code(PREFIXES[way.area] + way.path), way.gate.value, takes, answers


HTTP_WAYS: Final = {
    ("GET", "/"): ("", "the page of the plugins, where the application has nothing at `/`"),
    ("GET", "/assets/{name}"): ("", "a file of that page; its name has the hash of its content"),
    ("POST", "/{mount}/tools/{tool}"): ("body: the tool's arguments; query: `timeout_s`", "the result"),
    ("*", "/{mount}/{path}"): ("what the plugin's route takes", "what it answers; WebSockets too"),
    ("POST", "/session"): ("body: `token`", "204 and the cookie of a session"),
    ("DELETE", "/session"): ("", "204; the cookie is taken back"),
    ("POST", "/plans/apply"): ("body: `plan`, and `agreed`: its `hash`, always", ""),
    ("PATCH", "/plugins/{plugin}/config"): ("body: the settings; `null` takes one back", ""),
}
"""What a way takes and answers, where its operation does not say it."""

HTTP_CODES: Final = (
    ("421", "`unknown_host`", "`Host` is none of `web.allowed_hosts`."),
    ("403", "`cross_site`", "The request carries a session or a cookie, and a page of another site sent it."),
    ("403", "`refused`", "The plugin does not take this WebSocket."),
    ("404", "`not_found`", "Nothing stands there."),
    ("405", "`method_not_allowed`, `not_allowed`", "It stands there for another method."),
    ("413", "`body_too_large`", "The body is larger than the plugin's `upload_mb`, or than the API takes."),
    ("415", "`not_json`", "A tool was called with something else than JSON, and without `Authorization`."),
)
"""Problems of the protocol itself, which have no class in the tree of errors."""

HTTP_INTRODUCTION: Final = """\
What `host.attach(app, prefix=…, user=…, admin=…)` adds to an application, and what `serve` serves. `/plugins` is the
`prefix`, `/api/v1` the setting `web.api_prefix`; `{plugin}` is an id or a mount. A way that is not in the table does
not exist. Paths of plugins and their tools are in the application's OpenAPI as long as the plugin is served."""

HTTP_NOTES: Final = """\
The token is sent as `Authorization: Bearer <token>`; it lies in `trust/token` of the home. `POST /session` exchanges it
for a cookie that scripts cannot read and other sites cannot use: `HttpOnly`, `SameSite=Strict`. A new token ends every
session. Where `user=` or `admin=` is given, the application's own dependency decides instead of the token."""

HTTP_TOOLS: Final = """\
`POST /plugins/<mount>/tools/<tool>` takes a JSON object and answers with the result as JSON. With one of {types} in
`Accept`, what happens is streamed: `item`, `progress` (`done`, `total`, `message`), and last `result` or `error`. A
request that is given up cancels the call in the plugin."""

HTTP_PROBLEMS: Final = """\
Every error is `application/problem+json` (RFC 9457): `type` (`urn:somnus:error:` and the code), `title`, `status`,
`detail`, `code`, `remedy`, and `data` where there are facts. Most codes are those of [Errors](errors.md); these are of
the protocol itself:"""

HTTP_INBOUND: Final = """\
All headers reach the plugin in their order, but for credentials, what concerns one hop, and what a client can claim
about itself. The plugin learns address and scheme as the server has settled them, and the person as `Call.user`."""

HTTP_OUTBOUND: Final = """\
A plugin's answer can neither speak for the whole origin nor act with the rights of whoever looks at it. A header with a
line break, more than {count} headers or {size} KiB of them, or a status outside 200 to 599 is a 502."""

HTTP_HOSTS: Final = """\
`Host` must be one of `web.allowed_hosts`: names and addresses without port, IPv6 in brackets, `*.example.org` for
everything below a name, `*` for all. Everything else is answered 421 before anything else is looked at: the page of
another site can point its own name at this machine, and the browser would take our answers for that site's."""

# --- operations ------------------------------------------------------------------------------------------------------


def operations_page() -> str:
    """What can be done to a host, and the records it answers with."""
    return page(
        "Operations",
        OPERATIONS_INTRODUCTION,
        *map(_operation, OPERATIONS.values()),
        "## Records",
        *(f"### {each.__name__}\n\n{flowed(each.__doc__)}\n\n{fields(each)}" for each in RECORDS),
    )


def _operation(operation: Operation) -> str:
    rows = [
        (code(each.name), _linked(code(type_name(each.type)), "").replace("`", ""), _given(each))
        for each in msgspec.structs.fields(operation.arguments)
    ]
    arguments = table(["argument", "type", "default"], rows) if rows else "No arguments."
    answers = f"Answers {_linked(type_name(operation.result), '')}."
    return "\n\n".join([f"## {operation.name}", operation.summary, arguments, answers])


def _given(field: msgspec.structs.FieldInfo) -> str:
    return "required" if field.default is msgspec.NODEFAULT else code(value(field.default))


OPERATIONS_INTRODUCTION: Final = """\
One table of what can be done to a host; Python (`await host.operate(name, **arguments)`), HTTP, the command line and
doors offer the same. Answers are built-in types of the records below."""

# --- Python ----------------------------------------------------------------------------------------------------------


def python_page() -> str:
    """What applications and tests import."""
    names = ((code(name), _home(name)) for name in somnus_plugins.__all__)
    host = described_class(plugin_host.PluginHost, "PluginHost", bases=(administration.Administration,))
    return page(
        "Python",
        PYTHON_INTRODUCTION,
        table(["name", "is"], names),
        "## The host",
        host,
        "## Settings",
        described(somnus_plugins.load_settings, "load_settings"),
        _attributes(somnus_plugins.Settings),
        "## Errors",
        described_class(somnus_plugins.SomnusError, "SomnusError"),
        "## Testing",
        PYTHON_TESTING,
        table(["fixture", "gives"], _fixtures()),
        *(described_class(each, name) for name, each in _testing()),
    )


def _home(name: str) -> str:
    found = getattr(somnus_plugins, name)
    return "The version of the package." if isinstance(found, str) else flowed((found.__doc__ or "").split("\n\n")[0])


def _attributes(owner: type) -> str:
    types, docs = attribute_types(owner), attribute_docs(owner)
    rows = ((code(name), code(types[name]), docs[name]) for name in types)
    return f"### `{owner.__name__}`\n\n{flowed(owner.__doc__)}\n\n{table(['attribute', 'type', 'meaning'], rows)}"


def _fixtures() -> Iterator[tuple[str, str]]:
    for name in pytest_plugin.__all__:
        # What pytest keeps of a fixture differs between its versions; its docstring it keeps in all of them.
        function = inspect.unwrap(getattr(pytest_plugin, name))
        yield code(name), flowed(getattr(function, "__doc__", ""))


def _testing() -> Iterator[tuple[str, type]]:
    for name in testing.__all__:
        if inspect.isclass(found := getattr(testing, name)):
            yield name, found


PYTHON_INTRODUCTION: Final = """\
`from somnus_plugins import …`: what an application imports. Plugin names in calls are ids, mounts, or names that only
one plugin has. The records in answers are those of [Operations](operations.md#records)."""

PYTHON_TESTING: Final = """\
A pytest plugin comes with the package. Its fixtures need no configuration; `@pytest.mark.plugin(config={…},
level="memory" or "process")` sets them for one test, `--plugin-level` for a run. `from somnus_plugins.testing import …`
gives the types; `PluginFactory` is the type of `plugin_factory`."""
