"""How plugins and the host look to people and programs: `views` made of what is live."""

from __future__ import annotations

import os
from time import monotonic

import msgspec

from somnus_plugins._version import __version__
from somnus_plugins.host.discovery import Found
from somnus_plugins.host.engine import Engine
from somnus_plugins.host.instance import Instance
from somnus_plugins.host.lifecycle import State
from somnus_plugins.host.views import SANDBOX_LEVEL, HostView, PluginDetail, PluginView
from somnus_plugins.trust import config as plugin_config

__all__ = ["detail", "status", "stranger_view", "view"]


def view(instance: Instance) -> PluginView:
    """One line about a plugin."""
    manifest, entry = instance.manifest, instance.entry
    return PluginView(
        id=instance.id,
        mount=entry.mount,
        version=manifest.version,
        description=manifest.description,
        type=manifest.type.value,
        ring=entry.ring,
        state=instance.state.value,
        word=instance.state.word.value,
        reason=instance.lifecycle.reason,
        desired="enabled" if entry.enabled else "disabled",
        generation=entry.generation,
        sandbox_level=SANDBOX_LEVEL,
        trust="local",
        tools=tuple(instance.tools),
        routes=len(instance.contributions.routes),
        tags=tuple(manifest.tags),
    )


def stranger_view(name: str, found: Found) -> PluginView:
    """One line about something that was found and is not served."""
    manifest = found.manifest
    state = State.FAILED if found.error is not None else State.BLOCKED
    return PluginView(
        id=name,
        mount="",
        version=manifest.version if manifest is not None else "",
        description=manifest.description if manifest is not None else "",
        type=manifest.type.value if manifest is not None else "",
        ring=found.ring,
        state=state.value,
        word=state.word.value,
        reason=str(found.error) if found.error is not None else f"not installed: {found.directory}",
        desired="disabled",
        generation=0,
        sandbox_level=SANDBOX_LEVEL,
        trust="unsigned",
        tools=(),
        routes=0,
    )


def detail(instance: Instance) -> PluginDetail:
    """Everything about a plugin."""
    worker = instance.worker
    return PluginDetail(
        plugin=view(instance),
        directory=instance.entry.directory,
        manifest=instance.manifest.to_record(),
        contributions=msgspec.to_builtins(instance.contributions),
        config=instance.entry.config,
        unset=plugin_config.missing(instance.contributions.config_schema, instance.entry.config),
        limits={name: float(getattr(instance.limits, name)) for name in type(instance.limits).__slots__},
        pid=worker.pid if worker is not None else None,
        starts=instance.starts,
        calls=instance.calls,
        running=instance.gate.taken,
        waiting=instance.gate.waiting,
        idle_s=instance.idle_for(monotonic()),
        strikes=dict(worker.strikes) if worker is not None else {},
    )


def status(engine: Engine) -> HostView:
    """The host in one record."""
    zygote = engine.nursery.zygote
    return HostView(
        home=str(engine.home.root),
        pid=os.getpid(),
        version=__version__,
        revision=engine.catalogue.revision,
        sandbox_level=SANDBOX_LEVEL,
        doors=engine.doors(),
        zygote_pid=zygote.pid if zygote is not None else None,
        blank=engine.nursery.blank,
        plugins=len(engine.instances),
    )
