"""The manual, run as it stands: its files are written, its commands typed, its plugins tested.

A fenced block says behind its language what it is:

    file=PATH       a file, below the folder that the reader works in
    plugin=NAME     a plugin in one file, with the smallest manifest; `manifest=NAME` lays more of a manifest over it
    test=NAME       a test of that plugin, with the shipped fixture
    serves          a command that runs on; it is ended where the next one begins

`console` blocks are typed line by line; what stands below a command is what it prints, `…` for anything. `text` is only
looked at.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.support.waiting import eventually_now

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
PAGES: Final = ("tutorial.md", "authors.md", "operators.md", "architecture.md")
FENCE: Final = re.compile(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORTS: Final = ("8765", "8000")
PATIENCE_S: Final = 20
MANIFEST: Final = """\
[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.11"
[tool.somnus]
type = "tool_integration"
entry = "{name}:{kind}"
api = ">=1,<2"
{more}
"""


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    kind: str
    """`file`, `plugin`, `manifest`, `test`, `serves`, or nothing."""
    name: str
    text: str


def blocks(page: str) -> list[Block]:
    """The blocks of a page that are run."""
    found = FENCE.findall((DOCS / page).read_text(encoding="utf-8"))
    marked = [(language, *options.partition("="), text) for language, options, text in found if language != "text"]
    return [Block(language, kind, name, text) for language, kind, _, name, text in marked]


@dataclass
class Reader:
    """Somebody who does what a page says, in an empty folder."""

    folder: Path
    ports: dict[str, str] = field(default_factory=dict)
    serving: subprocess.Popen[str] | None = None
    plugins: dict[str, Path] = field(default_factory=dict)

    def follow(self, block: Block) -> None:
        """Do what one block says."""
        match block.kind:
            case "file":
                self.write(block.name, block.text)
            case "plugin":
                kind = re.findall(r"^class (\w+)\(Plugin\)", block.text, re.MULTILINE)[-1]
                self.plugins[block.name] = self.write(f"{block.name}/{block.name}.py", block.text).parent
                self.describe(block.name, kind, "[tool.somnus.permissions]")
            case "manifest":
                manifest = (self.plugins[block.name] / "pyproject.toml").read_text(encoding="utf-8")
                self.describe(block.name, re.findall(r":(\w+)", manifest)[0], block.text)
            case "test":
                number = len(list(self.plugins[block.name].glob("test_*.py")))
                self.write(f"{block.name}/test_{block.name}_{number}.py", block.text)
            case "serves":
                self.serve(block.text)
            case "":
                self.type(block.text)

    def describe(self, name: str, kind: str, more: str) -> None:
        self.write(f"{name}/pyproject.toml", MANIFEST.format(name=name, kind=kind, more=more))

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.here(text), encoding="utf-8")
        return file

    def here(self, text: str) -> str:
        """The text with ports that are free on this machine."""
        return re.sub(rf"\b({'|'.join(PORTS)})\b", lambda match: self.ports.setdefault(match[1], free_port()), text)

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "SOMNUS_"))}
        return {**kept, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "120"}

    def type(self, text: str) -> None:
        """Type the commands, and compare what they print; while something serves it may need a moment to follow."""
        for command, printed in commands(self.here(text)):
            wanted = re.compile(".*?".join(re.escape(each) for each in printed.split("…")), re.DOTALL)
            until = time.monotonic() + (PATIENCE_S if self.serving is not None else 0)
            status, output = self.run(command)
            while (status or not wanted.search(output)) and time.monotonic() < until:
                status, output = self.run(command)
            assert status == 0, f"$ {command}\n{output}"
            assert wanted.search(output), f"$ {command}\n{output}"

    def run(self, command: str) -> tuple[int, str]:
        if command.startswith("curl "):
            return fetched(command, self.folder)
        ended = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S,
        )
        return ended.returncode, ended.stdout

    def serve(self, text: str) -> None:
        self.stop()
        ((command, _),) = commands(self.here(text))
        self.serving = subprocess.Popen(
            shlex.split(command),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        ports = [port for port in self.ports.values() if port in command]
        assert ports, "a command that serves names its port"
        eventually_now(lambda: answers(ports[0]), PATIENCE_S)

    def stop(self) -> None:
        """Ctrl-C."""
        if self.serving is None:
            return
        process, self.serving = self.serving, None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(PATIENCE_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def run_plugins(self) -> str:
        """Run the tests of all plugins of the page, in one session."""
        status, printed = self.run("python -m pytest -q -W error -p no:cacheprovider " + " ".join(sorted(self.plugins)))
        assert status == 0, printed
        return printed


def commands(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with what it prints."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        while command.endswith("\\"):
            more, _, printed = printed.partition("\n")
            command = f"{command[:-1]}{more.strip()}"
        yield command, printed.strip()


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def answers(port: str) -> bool:
    """Whether somebody serves there."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/", timeout=5).status_code < 500
    except httpx.TransportError:
        return False


def fetched(command: str, folder: Path) -> tuple[int, str]:
    """What curl would print, without curl: `-H` and `-d` are known."""
    command = re.sub(r"\$\(cat (\S+)\)", lambda match: (folder / match[1]).read_text().strip(), command)
    words = iter(shlex.split(command)[1:])
    headers, body, url = {}, None, ""
    for word in words:
        match word:
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "-d":
                body = next(words)
            case _:
                url = word
    answer = httpx.request("GET" if body is None else "POST", url, headers=headers, content=body, timeout=PATIENCE_S)
    return 0 if answer.is_success else 22, answer.text


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader, whose server is stopped at the end."""
    found = Reader(tmp_path)
    yield found
    found.stop()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_the_manual_does_what_it_says(page: str, reader: Reader) -> None:
    for block in blocks(page):
        reader.follow(block)

    assert page == "architecture.md" or len(blocks(page)) >= 5
    assert not reader.plugins or " passed" in reader.run_plugins()


def test_every_block_of_the_manual_is_of_a_kind_that_is_run() -> None:
    found = {page: blocks(page) for page in PAGES}
    strange = [
        f"{page}: {each.language} {each.kind}={each.name}"
        for page, all_of_it in found.items()
        for each in all_of_it
        if each.kind not in {"file", "plugin", "manifest", "test"} and each.language != "console"
    ]

    assert strange == []
    assert set(PAGES) == {each.name for each in DOCS.glob("*.md")} - {"README.md", "threat-model.md", "performance.md"}


def test_a_command_that_does_not_print_what_the_page_says_is_noticed(reader: Reader) -> None:
    reader.type("$ echo one two three\none … three\n$ echo \\\n  done\ndone\n")

    with pytest.raises(AssertionError, match="echo four"):
        reader.type("$ echo four\nfive\n")
    with pytest.raises(AssertionError, match="exit 3"):
        reader.type("$ exit 3\n")
