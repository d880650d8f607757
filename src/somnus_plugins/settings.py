"""Every limit that an operator may want to change, with its unit and the reason for its default.

Read from three places, later ones win: `config.toml` in the home (`[wire]`, `[runtime]`, …), the environment
(`SOMNUS_RUNTIME__POOL_SIZE=4`), and arguments (`load_settings(overrides={"runtime.pool_size": 4})`). An unknown name or
a value out of range is an error that names the place, the value, and what is allowed.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from somnus_plugins.errors import InvalidSetting

__all__ = [
    "HostSettings",
    "LimitSettings",
    "LogSettings",
    "RuntimeSettings",
    "Settings",
    "WebSettings",
    "WireSettings",
    "load_settings",
]

KIB: Final = 1024
MIB: Final = 1024 * KIB
ENVIRONMENT_PREFIX: Final = "SOMNUS_"


def _limit(default: float, low: float, high: float) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True, slots=True)
class WireSettings:
    """Between the host and a plugin, and between the host and its doors."""

    inline_max_bytes: int = _limit(256 * KIB, 4 * KIB, 16 * MIB)
    """Largest frame, in bytes, that travels on the socket itself. A larger one travels in shared memory: above this
    size copying through the socket's small buffers costs more than passing a descriptor."""

    frame_max_bytes: int = _limit(128 * MIB, 1 * MIB, 1024 * MIB)
    """Largest frame, in bytes, that the host itself may send, in shared memory. What a plugin may send is bounded by
    its own `result_mb`."""

    window_bytes: int = _limit(256 * KIB, 16 * KIB, 64 * MIB)
    """Bytes of a stream that may be on their way before the reader asks for more. Bounds what one slow reader costs."""

    strikes_max: int = _limit(8, 0, 1000)
    """Malformed, oversized, unknown or unasked-for frames after which the connection is cut. A plugin that speaks
    through the SDK never makes one; a few are allowed so that one bug is reported before it is fatal."""

    incoming_max: int = _limit(256, 1, 100_000)
    """Requests of one peer that may be served at the same time. The next one is answered `overloaded`."""


@dataclass(frozen=True, slots=True)
class RuntimeSettings:
    """Processes: zygote, warm pool, start, stop, restart."""

    pool_size: int = _limit(2, 0, 64)
    """Blank children that wait, already forked. Each costs about 2 MB; the pool turns a wake from two forks' time into
    less than one. 0 forks at every wake."""

    zygote_max_forks: int = _limit(5_000, 1, 1_000_000)
    """Forks after which the zygote is replaced: all its children share its memory layout and hash seed."""

    zygote_max_age_s: float = _limit(6 * 3600, 1, 30 * 86400)
    """Seconds after which the zygote is replaced, for the same reason."""

    zygote_start_timeout_s: float = _limit(30, 1, 600)
    """Seconds the zygote has for importing what every plugin needs. One second on a quiet machine."""

    start_timeout_s: float = _limit(20, 0.1, 600)
    """Seconds from a plugin's fork until it is ready, its imports and `on_start` included. `on_prepare` has its own."""

    prepare_timeout_s: float = _limit(120, 0.1, 3600)
    """Seconds for `on_prepare`: slow work that needs no state."""

    stop_timeout_s: float = _limit(5, 0, 600)
    """Seconds for draining running calls and `on_stop`, before the process is killed."""

    cancel_grace_s: float = _limit(2, 0.05, 600)
    """Seconds a plugin has for acknowledging a cancelled call. A process whose event loop does not even answer a ping
    by then is stuck and is killed."""

    abandoned_calls_max: int = _limit(4, 1, 1000)
    """Calls that may go on in threads after their deadline while the process still answers pings. One more, or as soon
    as they hold every thread of the plugin, and the process is replaced: a thread cannot be stopped."""

    crash_max: int = _limit(5, 1, 1000)
    """Crashes within `crash_window_s` after which the plugin is held as `crash_loop`."""

    crash_window_s: float = _limit(60, 1, 86400)
    """Seconds over which crashes are counted."""

    crash_backoff_s: tuple[float, ...] = (0.0, 0.1, 0.5, 2.0, 10.0, 60.0)
    """Seconds to wait before the start that follows the first, second… crash of the window; the last one repeats."""


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """Ceilings of the host: a plugin's own `[tool.somnus.limits]` can only be lower."""

    memory_mb: int = _limit(4096, 16, 1_048_576)
    """Memory of one plugin, in MiB (address space and data; a cgroup where there is one)."""

    cpus: float = _limit(64, 0.01, 4096)
    """Processors of one plugin, in cores. Not enforced at confinement level `none`."""

    threads: int = _limit(512, 4, 32_768)
    """Threads of one plugin."""

    open_files: int = _limit(4096, 16, 1_048_576)
    """Open files of one plugin."""

    disk_mb: int = _limit(65_536, 1, 1_073_741_824)
    """Size of `self.data` of one plugin, in MiB. Not enforced at confinement level `none`."""

    call_timeout_s: float = _limit(3600, 0.01, 604_800)
    """Deadline of one call, in seconds, whatever the tool or the caller asks for."""

    concurrency: int = _limit(256, 1, 100_000)
    """Calls of one plugin at the same time."""

    queue: int = _limit(1024, 0, 1_000_000)
    """Calls of one plugin that may wait for a place. The next one is answered `overloaded`."""

    recursion_depth: int = _limit(32, 1, 1000)
    """How deep calls between plugins may nest. Not read yet: plugins cannot call one another."""

    result_mb: int = _limit(256, 1, 1024)
    """Size of one result, in MiB."""

    upload_mb: int = _limit(1024, 1, 65_536)
    """Size of one request body, in MiB."""


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What plugins print and log."""

    line_max_chars: int = _limit(4_096, 80, 1_048_576)
    """Longest line that is kept, in characters; the rest of the line is cut and counted."""

    lines_per_s: float = _limit(200, 1, 100_000)
    """Lines a second that one plugin may write for long. More are dropped, counted, and the count is logged."""

    burst_lines: int = _limit(2_000, 1, 1_000_000)
    """Lines that may come at once before `lines_per_s` counts: a start with verbose logging is no flood."""

    recent_lines: int = _limit(500, 10, 100_000)
    """Lines of each plugin that are kept in memory, for `logs` without a file."""

    file_max_bytes: int = _limit(4 * MIB, 64 * KIB, 1024 * MIB)
    """Size at which a plugin's log file is rotated, in bytes."""

    files: int = _limit(3, 1, 100)
    """Rotated log files that are kept for each plugin, besides the one that is written."""


@dataclass(frozen=True, slots=True)
class HostSettings:
    """The home and its one host."""

    door_timeout_s: float = _limit(10, 0.1, 600)
    """Seconds a door waits for the host to answer a greeting, or for another process to take over as host."""

    barrier_timeout_s: float = _limit(5, 0.1, 600)
    """Seconds every door has for switching to a new generation. A door that is slower is cut off and attaches anew."""

    drain_timeout_s: float = _limit(30, 0, 3600)
    """Seconds running calls may go on when a plugin is stopped or replaced."""

    sleep_check_s: float = _limit(1, 0.01, 60)
    """Seconds between two looks for plugins that have been idle long enough to sleep."""

    extra_paths: tuple[str, ...] = ()
    """More directories whose sub-directories are plugins of the ring `local`: the person's own work."""

    allow_unsandboxed: bool = False
    """Start plugins below the minimum confinement level. Not read yet: there is no minimum while every plugin runs at
    level `none`, which every listing says."""


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The web interface."""

    host: str = "127.0.0.1"
    """Address that `serve` listens on. Loopback, because whoever reaches it may try to sign in."""

    port: int = _limit(8765, 0, 65_535)
    """Port that `serve` listens on; 0 takes a free one."""

    api_prefix: str = "/api/v1"
    """Where the admin API stands."""

    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]", "testserver")
    """Values of the `Host` header that are answered: a page of another site whose name was pointed at this machine
    (DNS rebinding) gets nothing. `*` answers all, for use behind a proxy that checks."""

    socket_idle_s: float = _limit(300, 1, 86_400)
    """Seconds without a byte after which a WebSocket or a stream no longer keeps its plugin awake."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All groups; immutable, made by `load_settings`."""

    wire: WireSettings = field(default_factory=WireSettings)
    """Between the host and a plugin."""

    runtime: RuntimeSettings = field(default_factory=RuntimeSettings)
    """Processes."""

    limits: LimitSettings = field(default_factory=LimitSettings)
    """Ceilings for plugins."""

    logs: LogSettings = field(default_factory=LogSettings)
    """What plugins print and log."""

    host: HostSettings = field(default_factory=HostSettings)
    """The home and its host."""

    web: WebSettings = field(default_factory=WebSettings)
    """The web interface."""


def load_settings(
    home: Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings in force for a home.

    Args:
        home: Directory with `config.toml`; a missing file means no settings from there.
        environment: Instead of `os.environ`.
        overrides: `"group.name"` to value; strings are read like the environment's.

    Raises:
        InvalidSetting: A name is unknown, or a value has the wrong type or is out of range; names where it stands.
    """
    values: dict[tuple[str, str], tuple[Any, str]] = {}
    if home is not None and (file := home / "config.toml").is_file():
        values |= _from_file(file)
    values |= _from_environment(os.environ if environment is None else environment)
    for dotted, value in (overrides or {}).items():
        group, _, name = dotted.partition(".")
        values[group, name] = (value, f"argument {dotted}")

    groups: dict[str, dict[str, Any]] = {}
    for (group, name), (value, place) in values.items():
        groups.setdefault(group, {})[name] = _checked(group, name, value, place)
    return Settings(
        **{
            each.name: each.default_factory(**groups.get(each.name, {}))
            for each in dataclasses.fields(Settings)
            if each.default_factory is not dataclasses.MISSING
        }
    )


def _from_file(file: Path) -> dict[tuple[str, str], tuple[Any, str]]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"{file} is not valid TOML: {error}", remedy="Correct the file, or remove it.") from error
    found: dict[tuple[str, str], tuple[Any, str]] = {}
    for group, table in tables.items():
        if not isinstance(table, dict):
            raise InvalidSetting(
                f"{file}: {group!r} stands outside a table; allowed tables: {', '.join(_groups())}",
                remedy="Write settings below a table such as [runtime].",
            )
        found |= {(group, name): (value, f"{file}: {group}.{name}") for name, value in table.items()}
    return found


def _from_environment(environment: Mapping[str, str]) -> dict[tuple[str, str], tuple[Any, str]]:
    found: dict[tuple[str, str], tuple[Any, str]] = {}
    for variable, value in environment.items():
        group, separator, name = variable.removeprefix(ENVIRONMENT_PREFIX).lower().partition("__")
        if variable.startswith(ENVIRONMENT_PREFIX) and separator:
            found[group, name] = (value, f"environment variable {variable}")
    return found


def _groups() -> dict[str, dict[str, dataclasses.Field[Any]]]:
    return {
        group.name: {each.name: each for each in dataclasses.fields(group.default_factory)}  # type: ignore[arg-type]  # each group is a dataclass
        for group in dataclasses.fields(Settings)
    }


def _checked(group: str, name: str, value: Any, place: str) -> Any:
    groups = _groups()
    if group not in groups or name not in groups[group]:
        known = [f"{each}.{one}" for each, names in groups.items() for one in names]
        near = difflib.get_close_matches(f"{group}.{name}", known, n=1)
        raise InvalidSetting(
            f"{place}: there is no setting {group}.{name}" + (f"; the nearest is {near[0]}" if near else ""),
            remedy="See docs/reference/settings.md for every setting.",
        )
    spec = groups[group][name]
    group_class = typing.get_type_hints(Settings)[group]
    wanted = typing.get_type_hints(group_class)[name]
    try:
        result = _convert(value, wanted)
    except (TypeError, ValueError) as error:
        kind = getattr(wanted, "__name__", str(wanted))
        raise InvalidSetting(
            f"{place}: {value!r} is not a valid {kind}",
            remedy=f"The default is {spec.default!r}.",
        ) from error
    low, high = spec.metadata.get("low"), spec.metadata.get("high")
    if low is not None and high is not None and not low <= result <= high:
        raise InvalidSetting(
            f"{place}: {result!r} is out of range; allowed is {low:g} to {high:g}",
            remedy=f"The default is {spec.default!r}.",
        )
    return result


def _convert(value: Any, wanted: Any) -> Any:
    if isinstance(wanted, types.GenericAlias):
        item = typing.get_args(wanted)[0]
        parts = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        if not isinstance(parts, list | tuple):
            raise TypeError(value)
        return tuple(_convert(part, item) for part in parts)
    if wanted is bool:
        if isinstance(value, str) and value.lower() in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
            return value.lower() in {"1", "true", "yes", "on"}
        if isinstance(value, bool):
            return value
        raise TypeError(value)
    if isinstance(value, bool) or (wanted is str and not isinstance(value, str)):
        raise TypeError(value)
    if wanted is int and isinstance(value, float) and not value.is_integer():
        raise TypeError(value)
    return wanted(value)
