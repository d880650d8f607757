"""Makes a plugin: import, checks, settings, instance."""

from __future__ import annotations

import importlib
import logging
import sys
from asyncio import AbstractEventLoop
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from somnus_plugins.errors import InvalidPlugin, PluginError
from somnus_plugins.sdk.plugin import Belongings, Plugin, instantiate
from somnus_plugins.sdk.threads import LoopAccess
from somnus_plugins.wire.methods import Announcement, LoadOrder
from somnus_plugins.worker.annotations import resolved_setting
from somnus_plugins.worker.execution import author_error
from somnus_plugins.worker.fingerprint import fingerprint
from somnus_plugins.worker.inventory import Inventory

__all__ = ["Loaded", "assemble", "load"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plugin in this process."""

    order: LoadOrder
    inventory: Inventory
    plugin: Plugin | None
    """None where the settings do not fit."""
    announcement: Announcement


def load(order: LoadOrder, loop: AbstractEventLoop | None = None) -> Loaded:
    """Import a plugin and make its instance.

    Args:
        order: What, from where, and with which settings.
        loop: Where `wait` of its threads leads; None where nothing will run.

    Raises:
        InvalidPlugin: The module or the class is not as it must be.
        PluginRaised: The author's code raised; `data` has class, file and line.
    """
    _set_paths(order)
    return assemble(_entry_class(order), order, loop)


def assemble(kind: type[Plugin], order: LoadOrder, loop: AbstractEventLoop | None = None) -> Loaded:
    """The same for a class that is there already: checks, settings, instance."""
    inventory = Inventory.of(kind)
    config, problem = _settings(kind, order)
    announcement = Announcement(
        fingerprint=fingerprint(inventory),
        state_version=kind.state_version,
        wants_prepare=inventory.wants_prepare,
        setup_problem=problem,
    )
    plugin = None if problem else _instance(kind, order, config, loop)
    return Loaded(order, inventory, plugin, announcement)


def _set_paths(order: LoadOrder) -> None:
    # Compiling is most of an import. The bytecode lies in the plugin's own cache, never beside its code.
    sys.pycache_prefix = str(Path(order.cache) / "bytecode")
    sys.dont_write_bytecode = False
    sys.path[:] = [*order.import_paths, *(path for path in sys.path if path not in order.import_paths)]
    importlib.invalidate_caches()


def _entry_class(order: LoadOrder) -> type[Plugin]:
    module = _entry_module(order)
    place = f"{order.entry_module}:{order.entry_attribute}"
    found = getattr(module, order.entry_attribute, None)
    if isinstance(found, type) and issubclass(found, Plugin) and found is not Plugin:
        return found
    known = sorted(
        name for name, value in vars(module).items() if isinstance(value, type) and issubclass(value, Plugin)
    )
    what = "nothing" if found is None else repr(found) if isinstance(found, type) else f"a {type(found).__name__}"
    raise InvalidPlugin(
        f"entry {place}: found {what} in {module.__file__}; allowed is a subclass of somnus_plugins.sdk.Plugin"
        + (f"; there are {', '.join(name for name in known if name != 'Plugin')}" if set(known) - {"Plugin"} else ""),
        remedy="Correct `entry` below [tool.somnus] in pyproject.toml, or let the class inherit from Plugin.",
    )


def _entry_module(order: LoadOrder) -> ModuleType:
    try:
        module = importlib.import_module(order.entry_module)
    except BaseException as error:  # the author's module runs: it may raise anything, SystemExit included
        _refuse_missing(error, order)
        raise _author_failure(error, f"import of {order.entry_module}", order) from error
    place = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), "")
    if not Path(place).resolve().is_relative_to(Path(order.directory).resolve()):
        raise InvalidPlugin(
            f"entry module {order.entry_module!r} was found in {place or 'the interpreter itself'}; it must lie below "
            f"{order.directory}",
            remedy="The name belongs to another package: rename the plugin's package, and `entry` with it.",
        )
    return module


def _refuse_missing(error: BaseException, order: LoadOrder) -> None:
    if isinstance(error, ModuleNotFoundError) and error.name:
        inside = order.entry_module == error.name or order.entry_module.startswith(f"{error.name}.")
        raise InvalidPlugin(
            f"import of {order.entry_module}: there is no module {error.name!r} in {', '.join(order.import_paths)}",
            remedy="Correct `entry` below [tool.somnus] in pyproject.toml."
            if inside
            else f"Add what provides {error.name!r} to `dependencies` in pyproject.toml.",
            data={"class": "ModuleNotFoundError", "module": error.name},
        ) from error


def _settings(kind: type[Plugin], order: LoadOrder) -> tuple[Any, str]:
    """The settings as the author's class, and what is wrong with them."""
    annotation = resolved_setting(kind, "config") if _annotates_config(kind) else None
    if annotation is None:
        names = ", ".join(order.config)
        return None, f"the plugin has no settings; found {names}" if names else ""
    from pydantic import TypeAdapter, ValidationError
    from pydantic.errors import PydanticUserError

    from somnus_plugins.worker.problems import problem_text, problems

    try:
        return TypeAdapter(annotation).validate_python(order.config), ""
    except ValidationError as error:
        return None, problem_text(problems(error))
    except PydanticUserError as error:
        raise InvalidPlugin(
            f"{kind.__name__}.config: the annotation has no schema: {str(error).splitlines()[0]}",
            remedy="Annotate with a pydantic model, a dataclass or a msgspec Struct.",
        ) from error
    except BaseException as error:  # validators are the author's code: they may raise anything
        raise _author_failure(error, "the settings", order) from error


def _annotates_config(kind: type[Plugin]) -> bool:
    own = kind.__mro__[: kind.__mro__.index(Plugin)]
    return any("config" in vars(each).get("__annotations__", {}) for each in own)


def _instance(kind: type[Plugin], order: LoadOrder, config: Any, loop: AbstractEventLoop | None) -> Plugin:
    belongings = Belongings(
        id=order.plugin,
        version=order.version,
        mount=order.mount,
        base_path=order.base_path,
        data=Path(order.data),
        cache=Path(order.cache),
        log=logging.getLogger(f"somnus.plugin.{order.plugin.replace('/', '.')}"),
        config=config,
    )
    try:
        return instantiate(kind, belongings, None if loop is None else LoopAccess(loop))
    except BaseException as error:  # the author's `__init__` may raise anything
        raise _author_failure(error, f"{kind.__name__}.__init__", order) from error


def _author_failure(error: BaseException, place: str, order: LoadOrder) -> PluginError:
    file, line = _author_line(error, Path(order.directory))
    return author_error(error, f"{place} ({file}, line {line})" if file else place, file=file, line=line)


def _author_line(error: BaseException, directory: Path) -> tuple[str, int]:
    """File, relative to the plugin, and line of the innermost frame of the author's own."""
    found = ("", 0)
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if path.is_relative_to(directory):
            found = (str(path.relative_to(directory)), trace.tb_lineno)
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_relative_to(directory):
        found = (str(Path(error.filename).relative_to(directory)), error.lineno or 0)
    return found
