"""Installing: plan, agree, apply. Every step before `apply` can be thrown away, and no step runs code in the host."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from somnus_plugins.errors import ConsentRequired, PlanChanged, PluginCrashed, SomnusError, WireError
from somnus_plugins.host import orders
from somnus_plugins.host.discovery import Found, read_directory
from somnus_plugins.host.home import Home
from somnus_plugins.host.registry import Entry, Registry
from somnus_plugins.host.views import SANDBOX_LEVEL, PermissionLine, Plan
from somnus_plugins.runtime.logs import LogBook
from somnus_plugins.runtime.nursery import Nursery
from somnus_plugins.settings import Settings
from somnus_plugins.store.files import replace_file
from somnus_plugins.trust import config as plugin_config
from somnus_plugins.trust import contributions as contributions_file
from somnus_plugins.trust.ids import parse_mount
from somnus_plugins.trust.manifest import Manifest
from somnus_plugins.trust.manifest.lints import PluginFacts, run_lints
from somnus_plugins.wire.contributions import Contributions
from somnus_plugins.wire.peer import Incoming

__all__ = ["Installer"]

FOREIGN = frozenset({"__pycache__", "node_modules", "venv", "build", "dist"})
"""Folders in a plugin's directory whose files are not the plugin's."""
NOTHING = Contributions(fingerprint="")


class Installer:
    """Plans and applies installations of directories.

    Args:
        home: Where the registry is.
        registry: What is installed.
        nursery: Gives the throw-away process that is asked what a plugin adds.
        settings: Limits.
    """

    def __init__(self, home: Home, registry: Registry, nursery: Nursery, settings: Settings) -> None:
        self._home = home
        self._registry = registry
        self._nursery = nursery
        self._settings = settings

    async def plan(self, source: Path, mount: str | None = None) -> Plan:
        """What installing this directory would do.

        Raises:
            NotAPlugin, InvalidManifest: It is no plugin, or not a valid one.
            NameTaken: The mount belongs to another plugin.
            NotReady: It did not even say what it adds.
        """
        found = self._valid(source)
        manifest = _require(found)
        contributions = await self.describe(found.directory, manifest)
        return self._plan(found.directory, manifest, contributions, mount)

    async def apply(self, plan: Plan, agreed: str | None = None) -> Entry:
        """Do what a plan says, unless what it was made from has changed.

        Args:
            plan: From `plan`.
            agreed: The hash a person has agreed to, where it was not this very object they were shown.

        Raises:
            ConsentRequired: `agreed` is the hash of another plan.
            PlanChanged: The directory, or what is installed, has changed since.
        """
        if agreed is not None and agreed != plan.hash:
            raise ConsentRequired(
                "the plan is not the one that was agreed to", data={"plan": msgspec.to_builtins(plan)}
            )
        directory = Path(plan.directory)
        manifest = _require(self._valid(directory))
        contributions = await self.describe(directory, manifest)
        again = self._plan(directory, manifest, contributions, plan.mount)
        if again.hash != plan.hash:
            raise PlanChanged(f"{plan.id} has changed since the plan was made", remedy="Make a new plan.")
        self.write_contributions(directory, contributions)
        before = self._registry.get(plan.id)
        entry = Entry(
            id=plan.id,
            mount=plan.mount,
            ring="local",
            directory=plan.directory,
            version=plan.version,
            enabled=True,
            config=before.config if before is not None else {},
            generation=before.generation + 1 if before is not None else 1,
            fingerprint=plan.fingerprint,
            plan=plan.hash,
        )
        self._registry.put(entry)
        return entry

    def write_contributions(self, directory: Path, contributions: Contributions) -> None:
        """Write `contributions.json` where it is not already so."""
        file, content = directory / contributions_file.CONTRIBUTIONS_FILE, contributions_file.dump(contributions)
        if not file.is_file() or file.read_bytes() != content:
            replace_file(file, content, mode=0o644)

    async def describe(self, directory: Path, manifest: Manifest) -> Contributions:
        """Ask a throw-away process, without settings, data or grants, what the plugin adds."""
        runtime = self._settings.runtime
        book = LogBook(str(manifest.id), self._home.log(str(manifest.id)), self._settings.logs)
        limits = orders.EffectiveLimits.of(manifest, self._settings)
        most = contributions_file.CONTRIBUTIONS_MAX_BYTES
        worker = await self._nursery.take(orders.assignment(manifest, limits, self._settings, frame_max_bytes=most))
        scratch = Path(tempfile.mkdtemp(prefix="somnus-"))
        try:
            await worker.attach(book, 0, _serves_nothing, most)
            order = orders.load_order(manifest, directory, data=scratch, cache=scratch, threads=1)
            await worker.load(order, runtime.start_timeout_s)
            described = await worker.describe(runtime.start_timeout_s)
        except WireError as error:
            ending = await asyncio.shield(worker.ended)
            raise PluginCrashed(f"{manifest.id} ended while it was asked what it adds: {ending.reason}") from error
        finally:
            await worker.kill("it was only asked what it adds")
            shutil.rmtree(scratch, ignore_errors=True)
        # Through its own bytes, so that exactly what `load` accepts is what is installed.
        return contributions_file.load(contributions_file.dump(described))

    def _valid(self, source: Path) -> Found:
        found = read_directory(source.expanduser().resolve())
        if found.error is not None and found.manifest is None:
            raise found.error
        return found

    def _plan(self, directory: Path, manifest: Manifest, contributions: Contributions, mount: str | None) -> Plan:
        plugin = str(manifest.id)
        before = self._registry.get(plugin)
        old = _installed_contributions(before)
        changes = contributions_file.compare(old, contributions)
        content = hashlib.sha256(
            msgspec.json.encode(manifest.to_record(), order="deterministic") + contributions_file.dump(contributions)
        ).hexdigest()
        chosen = parse_mount(mount) if mount else before.mount if before is not None else manifest.name
        self._registry.refuse_taken(plugin, chosen)
        moved = (f"changed mount {before.mount} → {chosen}",) if before is not None and before.mount != chosen else ()
        plan = Plan(
            id=plugin,
            mount=chosen,
            ring="local",
            directory=str(directory),
            version=manifest.version,
            replaces=before.version if before is not None else "",
            description=manifest.description,
            trust="local",
            sandbox_level=SANDBOX_LEVEL,
            permissions=tuple(_permissions(manifest)),
            adds=moved + changes.lines(),
            warnings=tuple(_warnings(directory, manifest, contributions)),
            unset=plugin_config.missing(contributions.config_schema, before.config if before is not None else {}),
            fingerprint=contributions.fingerprint,
            content=content,
        )
        return msgspec.structs.replace(plan, hash=hashlib.sha256(msgspec.json.encode(plan)).hexdigest())


def _installed_contributions(entry: Entry | None) -> Contributions:
    if entry is None:
        return NOTHING
    try:
        return read_directory(Path(entry.directory)).contributions or NOTHING
    except SomnusError:
        return NOTHING


def _require(found: Found) -> Manifest:
    if found.manifest is None:
        raise found.error or PlanChanged(f"{found.directory} has no manifest any more")
    return found.manifest


def _permissions(manifest: Manifest) -> Iterator[PermissionLine]:
    for path, table in manifest.permission_tables():
        record: dict[str, Any] = manifest.to_record()["tool"]["somnus"][path.rpartition(".")[2]]
        untouched = type(table)()
        for key, value in record.items():
            if getattr(table, key) != getattr(untouched, key):
                text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
                yield PermissionLine(key=key, value=text, optional="optional" in path)


def _warnings(directory: Path, manifest: Manifest, contributions: Contributions) -> Iterator[str]:
    files = frozenset(_files(directory))
    for finding in run_lints(manifest, PluginFacts(files=files, contributions=contributions)):
        yield str(finding)


def _files(directory: Path) -> Iterator[str]:
    """Names of the plugin's own files, relative, with '/': not what tools and environments keep beside them."""
    for place, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in FOREIGN]
        for name in names:
            file = Path(place, name)
            if file.is_file() and not file.is_symlink():
                yield file.relative_to(directory).as_posix()


async def _serves_nothing(incoming: Incoming) -> Any:
    raise ConsentRequired("a plugin that is only asked what it adds may ask nothing")
