"""What an author imports is light and complete."""

from __future__ import annotations

import subprocess
import sys

import pytest

from somnus_plugins import errors, sdk

SLOW = ("asyncio", "fastapi", "httpx", "pydantic", "starlette", "cronsim", "importlib.metadata", "sqlite3")


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_sdk_loads_nothing_slow() -> None:
    loaded = loaded_by("import somnus_plugins.sdk")

    assert "somnus_plugins.sdk.plugin" in loaded
    assert loaded.isdisjoint(SLOW)


def test_importing_the_sdk_loads_nothing_of_the_host() -> None:
    ours = {name.split(".")[1] for name in loaded_by("import somnus_plugins.sdk") if name.startswith("somnus_plugins.")}

    assert ours <= {"_version", "errors", "sdk", "wire"}
    assert "errors" in ours


def test_every_name_of_the_public_face_is_there() -> None:
    assert len(set(sdk.__all__)) == len(sdk.__all__)
    assert [name for name in sdk.__all__ if not hasattr(sdk, name)] == []


@pytest.mark.parametrize("name", ["ToolError", "TemporaryError", "PermanentError", "PluginError"])
def test_errors_are_those_of_the_tree(name: str) -> None:
    assert getattr(sdk, name) is getattr(errors, name)
    assert name in sdk.__all__


def test_what_a_caller_may_catch_is_all_there() -> None:
    below = {each.__name__ for each in errors.error_classes() if issubclass(each, errors.PluginError)}

    assert below <= set(sdk.__all__)
    assert "PluginCrashed" in below
