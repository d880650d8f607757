"""Writes a new plugin from a template."""

from __future__ import annotations

import keyword
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from somnus_plugins.errors import UsageError
from somnus_plugins.trust.ids import PluginId, normalise_name

__all__ = ["KINDS", "Created", "write_plugin"]

SCAFFOLDS: Final = Path(__file__).parent / "scaffolds"
SUFFIX: Final = ".j2"
PACKAGE: Final = "__package__"
"""In a template's path, stands for the name of the plugin's package."""

DESCRIPTIONS: Final = {
    "api_extension": "Keep bookmarks behind a small JSON API, with a live feed.",
    "tool_integration": "Measure texts: length, reading time, and the words they turn on.",
}
"""Type to what its template does."""
MINIMAL_DESCRIPTION: Final = "Greet whoever asks."

KINDS: Final = tuple(DESCRIPTIONS)
"""Types of plugins for which there is a template."""

TAKEN_PACKAGES: Final = sys.stdlib_module_names | {"fastapi", "httpx", "pydantic", "pytest", "somnus_plugins", "tests"}
"""Names that would find, or hide, another package."""
TAKEN_CLASSES: Final = frozenset(
    {"Bookmark", "BookmarkIn", "Call", "Field", "Keyword", "Path", "Plugin", "Settings", "Statistics", "Store"}
)
"""Names that stand in the templates already."""


@dataclass(frozen=True, slots=True)
class Created:
    """A plugin that was written."""

    name: str
    """Normalised."""
    directory: Path
    files: tuple[Path, ...]
    """Relative to the directory, sorted."""


def write_plugin(directory: Path, name: str, kind: str, *, publisher: str = "local", minimal: bool = False) -> Created:
    """Write a plugin that runs, with its tests.

    Args:
        directory: Where; made where it is missing, else it must be empty. It gets all of the files or none.
        name: Any text that a name can be made of: `MyPlugin` becomes `my-plugin`.
        kind: One of `KINDS`.
        publisher: First half of the plugin's id.
        minimal: One file with one method, instead of an example that shows more.

    Raises:
        UsageError: The name, the publisher or the kind is not one, or the directory is not empty.
    """
    plugin = PluginId(publisher, normalise_name(name))
    if kind not in KINDS:
        raise UsageError(
            f"there is no template for the type {kind!r}; available are {', '.join(KINDS)}",
            remedy=f"Create one of these, and set `type` in its pyproject.toml: --type {KINDS[0]}.",
        )
    _refuse_occupied(directory)
    words = _words(plugin, kind, MINIMAL_DESCRIPTION if minimal else DESCRIPTIONS[kind])
    existed = directory.is_dir()
    directory.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".somnus-create-", dir=directory if existed else directory.parent))
    try:
        root = staging / plugin.name
        files = tuple(sorted(_render(root, f"{kind}_minimal" if minimal else kind, words)))
        if existed:
            for each in root.iterdir():
                each.rename(directory / each.name)
        else:
            root.rename(directory)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Created(plugin.name, directory, files)


def _refuse_occupied(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is a file", remedy="Choose another directory.")
    if directory.is_dir() and (found := sorted(each.name for each in directory.iterdir())):
        raise UsageError(
            f"{directory} is not empty: it holds {', '.join(found[:3])}{' …' if len(found) > 3 else ''}",
            remedy="Choose a directory that is empty, or one that is not there yet.",
        )


def _words(plugin: PluginId, kind: str, description: str) -> dict[str, str]:
    """What the templates call the plugin. All of it is of the grammar of names, so it needs no escaping."""
    parts = plugin.name.split("-")
    package, class_name = "_".join(parts), "".join(part.capitalize() for part in parts)
    if keyword.iskeyword(package) or package in TAKEN_PACKAGES:
        package += "_plugin"
    if class_name in TAKEN_CLASSES or keyword.iskeyword(class_name):
        class_name += "Plugin"
    return {
        "id": str(plugin),
        "name": plugin.name,
        "publisher": plugin.publisher,
        "kind": kind,
        "description": description,
        "package": package,
        "class_name": class_name,
        "title": " ".join(parts).capitalize(),
    }


def _render(root: Path, scaffold: str, words: dict[str, str]) -> Iterator[Path]:
    # Text files without markup, and words of a narrow grammar: there is nothing to escape, and much that would break.
    environment = Environment(
        loader=FileSystemLoader(SCAFFOLDS),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701  # see above
    )
    for name in environment.list_templates():
        folder, _, path = name.partition("/")
        if folder in (scaffold, "shared") and path.endswith(SUFFIX):
            file = Path(path.removesuffix(SUFFIX).replace(PACKAGE, words["package"]))
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text(environment.get_template(name).render(words), encoding="utf-8")
            yield file
