"""The frame around the code: locks that cover what is declared, targets that exist, a build server's entry."""

from __future__ import annotations

import os
import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.architecture.source_tree import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PIN = re.compile(r"^([\w.-]+)==(\S+)(?: ; .+?)? \\\n((?: {4}--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)


def pins(lock: str) -> dict[str, Version]:
    """Distribution to version, of those entries that carry hashes."""
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    found = {name: Version(version) for name, version, _ in PIN.findall(text)}
    assert len(found) == text.count("==") - text.count(" == '"), "an entry has no hash, or is pinned twice"
    return found


@pytest.mark.parametrize(("lock", "group"), [("dev.txt", "dev"), ("bench.txt", "bench")])
def test_a_lock_pins_everything_that_is_declared_within_its_range(lock: str, group: str) -> None:
    declared = [
        Requirement(line) for line in [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"][group]]
    ]
    pinned = pins(lock)

    assert len(pinned) >= len(declared)
    assert [str(each) for each in declared if pinned[canonicalize_name(each.name)] not in each.specifier] == []


def test_the_locks_agree_and_hold_what_builds_the_package() -> None:
    dev, bench = pins("dev.txt"), pins("bench.txt")

    assert {name for name in dev.keys() & bench.keys() if dev[name] != bench[name]} == set()
    assert all(Requirement(line).name in dev for line in PROJECT["build-system"]["requires"])


def test_every_target_that_the_makefile_announces_is_there() -> None:
    announced = re.findall(r"^#   make (\w+) ", MAKEFILE, re.MULTILINE)

    assert {"serve", "test", "check", "verify", "bench", "docs"} <= set(announced)
    assert [each for each in announced if not re.search(rf"^{each}:", MAKEFILE, re.MULTILINE)] == []


def test_the_build_server_runs_what_people_run() -> None:
    run = ROOT / ".ci" / "run"

    assert os.access(run, os.X_OK)
    assert run.read_text(encoding="utf-8").splitlines()[-1] == "exec make test"
    assert os.access(ROOT / ".ci" / "interpreter", os.X_OK)


def test_the_supported_pythons_are_the_same_everywhere() -> None:
    classifiers = [each.rpartition(" :: ")[2] for each in PROJECT["project"]["classifiers"] if "Python :: 3." in each]

    assert f"INTERPRETERS := {' '.join(classifiers)}\n" in MAKEFILE
    assert PROJECT["project"]["requires-python"] == f">={classifiers[0]}"
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{classifiers[0].replace('.', '')}"
