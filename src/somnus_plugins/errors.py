"""The one tree of errors.

Every error says what was found and what is allowed (`message`), what to do about it (`remedy`), and carries a stable
`code` that is the same on the wire, in HTTP bodies and in the command line's JSON. `exit_code` is what the command
line ends with (1 failed, 2 usage, 3 refused), `http_status` what a web answer carries.

    SomnusError                      failed
    ├── UsageError                   usage
    │   ├── InvalidManifest          invalid_manifest
    │   ├── InvalidSetting           invalid_setting
    │   ├── InvalidConfig            invalid_config
    │   ├── UnknownPlugin            unknown_plugin
    │   ├── UnknownTool              unknown_tool
    │   ├── NameTaken                name_taken
    │   └── NotAPlugin               not_a_plugin
    ├── RefusedError                 refused
    │   ├── ConsentRequired          consent_required
    │   ├── SandboxUnavailable       sandbox_unavailable
    │   ├── PlanChanged              plan_changed
    │   └── NotSignedIn              not_signed_in
    ├── HostError                    host_error
    │   ├── HostNotRunning           host_not_running
    │   ├── HostLost                 host_lost
    │   ├── HostBusy                 host_busy
    │   ├── InvalidTransition        invalid_transition
    │   ├── HomeCorrupt              home_corrupt
    │   └── ZygoteFailed             zygote_failed
    ├── WireError                    wire_error
    │   ├── ProtocolViolation        protocol_violation
    │   └── PeerClosed               peer_closed
    └── PluginError                  plugin_error       everything a caller of a plugin may want to catch
        ├── PermissionDenied         permission_denied
        ├── InvalidPlugin            invalid_plugin     its code breaks a rule of the SDK and cannot be loaded
        ├── InvalidInput             invalid_input
        ├── InvalidResult            invalid_result
        ├── CallTimeout              call_timeout
        ├── Overloaded               overloaded
        ├── NotReady                 not_ready
        ├── PluginCrashed            plugin_crashed
        ├── PluginRaised             plugin_raised      an exception of the author's that is none of the three below
        ├── ToolError                tool_error         text that reaches model and person word for word
        ├── TemporaryError           temporary_error    may be tried again, after `delay_s`
        └── PermanentError           permanent_error    trying again is useless
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

__all__ = [
    "CallTimeout",
    "ConsentRequired",
    "HomeCorrupt",
    "HostBusy",
    "HostError",
    "HostLost",
    "HostNotRunning",
    "InvalidConfig",
    "InvalidInput",
    "InvalidManifest",
    "InvalidPlugin",
    "InvalidResult",
    "InvalidSetting",
    "InvalidTransition",
    "NameTaken",
    "NotAPlugin",
    "NotReady",
    "NotSignedIn",
    "Overloaded",
    "PeerClosed",
    "PermanentError",
    "PermissionDenied",
    "PlanChanged",
    "PluginCrashed",
    "PluginError",
    "PluginRaised",
    "ProtocolViolation",
    "RefusedError",
    "SandboxUnavailable",
    "SomnusError",
    "TemporaryError",
    "ToolError",
    "UnknownPlugin",
    "UnknownTool",
    "UsageError",
    "WireError",
    "ZygoteFailed",
    "error_classes",
    "from_record",
]

MESSAGE_MAX_CHARS: Final = 4_000
"""Longest message or remedy that is rebuilt from a record: the record may come from a plugin."""


class SomnusError(Exception):
    """Base of every error this package raises on purpose.

    Args:
        message: What was found, where, and what is allowed. One or more sentences for a person.
        remedy: What the person can do now. Empty where nothing sensible can be said.
        data: Facts for machines (JSON-compatible), for example the problems of a manifest.
    """

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, message: str = "", *, remedy: str = "", data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message or (type(self).__doc__ or type(self).__name__).splitlines()[0]
        self.remedy = remedy
        self.data: dict[str, Any] = dict(data or {})

    def __str__(self) -> str:
        return self.message

    def to_record(self) -> dict[str, Any]:
        """The error as `{"code", "message", "remedy"}` and, where there are any, `"data"`."""
        record: dict[str, Any] = {"code": self.code, "message": self.message, "remedy": self.remedy}
        if self.data:
            record["data"] = self.data
        return record


class UsageError(SomnusError):
    """What was asked for cannot be understood or does not exist."""

    code = "usage"
    exit_code = 2
    http_status = 400


class InvalidManifest(UsageError):
    """The manifest breaks one or more rules; `data["problems"]` lists each with file, key, found and allowed."""

    code = "invalid_manifest"
    http_status = 422


class InvalidSetting(UsageError):
    """A setting of the host is unknown or its value is out of range."""

    code = "invalid_setting"
    http_status = 422


class InvalidConfig(UsageError):
    """A value of a plugin's own settings does not fit its schema."""

    code = "invalid_config"
    http_status = 422


class UnknownPlugin(UsageError):
    """No installed plugin has this id, mount or name."""

    code = "unknown_plugin"
    http_status = 404


class UnknownTool(UsageError):
    """The plugin has no tool of this name."""

    code = "unknown_tool"
    http_status = 404


class NameTaken(UsageError):
    """The mount or id already belongs to another plugin."""

    code = "name_taken"
    http_status = 409


class NotAPlugin(UsageError):
    """The directory has no manifest."""

    code = "not_a_plugin"
    http_status = 422


class RefusedError(SomnusError):
    """Policy forbids it, or a person has not agreed to it."""

    code = "refused"
    exit_code = 3
    http_status = 403


class ConsentRequired(RefusedError):
    """A person has to agree to the plan first; `data["plan"]` is the plan."""

    code = "consent_required"


class SandboxUnavailable(RefusedError):
    """This machine cannot confine a plugin as far as the policy asks."""

    code = "sandbox_unavailable"


class PlanChanged(RefusedError):
    """What the plan was made from has changed since; nothing was done."""

    code = "plan_changed"
    http_status = 409


class NotSignedIn(RefusedError):
    """The request carries no valid token or session."""

    code = "not_signed_in"
    http_status = 401


class HostError(SomnusError):
    """The host cannot do it now."""

    code = "host_error"
    http_status = 503


class HostNotRunning(HostError):
    """The host was not started, or has been stopped."""

    code = "host_not_running"


class HostLost(HostError):
    """The process that was the host ended while it answered."""

    code = "host_lost"


class HostBusy(HostError):
    """The home's host process does not answer in time."""

    code = "host_busy"


class InvalidTransition(HostError):
    """The plugin's state does not allow this step."""

    code = "invalid_transition"
    http_status = 409


class HomeCorrupt(HostError):
    """A file of the home cannot be read as what it should be."""

    code = "home_corrupt"
    http_status = 500


class ZygoteFailed(HostError):
    """The process that plugins are forked from did not start or died."""

    code = "zygote_failed"


class WireError(SomnusError):
    """The connection between host and plugin, or host and door, failed."""

    code = "wire_error"
    http_status = 502


class ProtocolViolation(WireError):
    """The other side sent bytes that the protocol does not allow."""

    code = "protocol_violation"


class PeerClosed(WireError):
    """The other side closed the connection."""

    code = "peer_closed"


class PluginError(SomnusError):
    """A call to a plugin did not end in a result."""

    code = "plugin_error"
    http_status = 502


class PermissionDenied(PluginError):
    """The caller or the plugin lacks the permission."""

    code = "permission_denied"
    exit_code = 3
    http_status = 403


class InvalidPlugin(PluginError):
    """The plugin's code breaks a rule of the SDK: a decorator, a signature or the entry class is not as it must be."""

    code = "invalid_plugin"
    http_status = 422


class InvalidInput(PluginError):
    """The arguments do not fit the tool's schema."""

    code = "invalid_input"
    exit_code = 2
    http_status = 422


class InvalidResult(PluginError):
    """The plugin returned something that does not fit its schema or cannot be sent."""

    code = "invalid_result"


class CallTimeout(PluginError):
    """The deadline passed before the plugin answered."""

    code = "call_timeout"
    http_status = 504


class Overloaded(PluginError):
    """More calls are waiting than the plugin may have; try again later."""

    code = "overloaded"
    http_status = 503


class NotReady(PluginError):
    """The plugin is not able to take calls in its present state."""

    code = "not_ready"
    http_status = 503


class PluginCrashed(PluginError):
    """The plugin's process ended before it answered."""

    code = "plugin_crashed"


class PluginRaised(PluginError):
    """The plugin's code raised an exception; `data["class"]` names it, the traceback is in the plugin's log."""

    code = "plugin_raised"


class ToolError(PluginError):
    """Raised by an author: the text reaches the model and the person word for word."""

    code = "tool_error"
    http_status = 422


class TemporaryError(PluginError):
    """Raised by an author: the same call may succeed later.

    Args:
        message: Why it failed now.
        delay_s: Seconds to wait before the next try.
    """

    code = "temporary_error"
    http_status = 503

    def __init__(
        self,
        message: str = "",
        delay_s: float = 1.0,
        *,
        remedy: str = "",
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy, data={"delay_s": delay_s, **(data or {})})

    @property
    def delay_s(self) -> float:
        """Seconds to wait before the next try, never negative."""
        delay = self.data.get("delay_s")
        return max(0.0, float(delay)) if isinstance(delay, int | float) else 1.0


class PermanentError(PluginError):
    """Raised by an author: trying the same call again is useless."""

    code = "permanent_error"
    http_status = 422


def error_classes() -> Iterator[type[SomnusError]]:
    """Every class of the tree, parents first."""
    waiting: list[type[SomnusError]] = [SomnusError]
    while waiting:
        found = waiting.pop(0)
        yield found
        waiting.extend(found.__subclasses__())


def from_record(record: Mapping[str, Any], *, within: type[SomnusError] = SomnusError) -> SomnusError:
    """The error that a record describes, as its own class.

    The record may be hostile: an unknown or foreign code becomes `within`, text is cut, nothing is evaluated.

    Args:
        record: What `SomnusError.to_record` gave on the other side.
        within: The branch that may be rebuilt. A plugin's answer may only ever be a `PluginError`.
    """
    code = record.get("code")
    found = next((each for each in error_classes() if each.code == code and issubclass(each, within)), within)
    message, remedy, data = record.get("message"), record.get("remedy"), record.get("data")
    return found(
        str(message or "")[:MESSAGE_MAX_CHARS],
        remedy=str(remedy or "")[:MESSAGE_MAX_CHARS],
        data=data if isinstance(data, Mapping) else None,
    )
