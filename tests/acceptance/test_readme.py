"""The README's quick start, run as it stands: its commands, its plugin, its Python."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from somnus_plugins import PluginHost

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [
    line.removeprefix("$ ")
    for kind, block in BLOCKS
    if kind == "console"
    for line in block.splitlines()
    if line.startswith("$ ")
]
BOUND_S = 120


def blocks(kind: str, holding: str) -> str:
    """The one block of a kind that holds a text."""
    (found,) = [block for each, block in BLOCKS if each == kind and holding in block]
    return found


def environment(home: Path) -> dict[str, str]:
    bin_directory = Path(sys.executable).parent
    return {**os.environ, "SOMNUS_HOME": str(home), "PATH": f"{bin_directory}:{os.environ['PATH']}", "COLUMNS": "100"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextlib.contextmanager
def running(command: list[str], where: Path, home: Path) -> Iterator[subprocess.Popen[str]]:
    """A command that serves until it is interrupted."""
    process = subprocess.Popen(
        command,
        cwd=where,
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(30)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            assert process.stdout is not None
            process.stdout.close()


def sign_in_link(process: subprocess.Popen[str]) -> str:
    """The link that is printed when it serves."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if found := re.search(r"http://\S+#token=\S+", line):
            return found[0]
    raise AssertionError("".join(seen))


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    """The plugin that the README shows, written as it shows it."""
    package = tmp_path / "hello" / "hello"
    package.mkdir(parents=True)
    (tmp_path / "hello" / "pyproject.toml").write_text(blocks("toml", 'name = "hello"'))
    (package / "__init__.py").write_text(blocks("python", "class Hello"))
    return tmp_path / "hello"


def run(command: str, where: Path, home: Path) -> str:
    done = subprocess.run(
        command, shell=True, cwd=where, env=environment(home), capture_output=True, text=True, timeout=BOUND_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_make_serve_shows_the_examples_and_they_answer(tmp_path: Path) -> None:
    assert COMMANDS[0] == "make serve"
    copy = tmp_path / "clone"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv*", ".somnus", "__pycache__", ".*_cache"))
    port = free_port()
    # The environment that runs this test stands for the one that the first `make serve` would make.
    stamps = Path(sys.executable).parents[1]
    command = ["make", "serve", f"VENV={stamps}", f"PORT={port}", "--old-file", str(stamps / ".installed")]
    with running(command, copy, copy / ".somnus") as process:
        link = sign_in_link(process)
        token = link.partition("#token=")[2]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}) as client:
            page = client.get("/")
            names = {plugin["mount"] for plugin in client.get("/api/v1/plugins").json()}
            answer = client.post("/plugins/documents/tools/search", json={"query": "zygote"}, timeout=30)
            described = client.get("/openapi.json").json()
    assert page.status_code == 200
    assert "Somnus" in page.text
    assert {"documents", "hello-api"} <= names
    assert answer.status_code == 200, answer.text
    assert any("zygote" in str(hit).lower() for hit in answer.json())
    assert any(path.startswith("/plugins/documents/") for path in described["paths"])


def test_make_test_is_a_target() -> None:
    assert "make test" in COMMANDS
    planned = subprocess.run(["make", "--dry-run", "test"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "pytest" in planned.stdout


def test_create_check_and_dev_as_written(tmp_path: Path) -> None:
    home = tmp_path / ".somnus"
    create, check, dev = [each for each in COMMANDS if "my-plugin" in each]
    run(create, tmp_path, home)
    run(check, tmp_path, home)
    with running([*shlex.split(dev), "--port", str(free_port())], tmp_path, home) as process:
        link = sign_in_link(process)
    assert (tmp_path / "my-plugin" / "pyproject.toml").is_file()
    assert link.startswith("http://127.0.0.1:")


def test_install_call_and_curl_as_written(tmp_path: Path, hello: Path) -> None:
    home = tmp_path / ".somnus"
    install, call, curl = [each for each in COMMANDS if "hello" in each]
    run(install, tmp_path, home)
    assert run(call, tmp_path, home).count("Hello Ada!") == 2
    port = free_port()
    with running(["somnus-plugins", "serve", "--port", str(port)], tmp_path, home) as process:
        sign_in_link(process)
        url = curl.split()[-1].replace(":8765/", f":{port}/")
        token = (home / "trust" / "token").read_text().strip()
        answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"})
    assert answer.json() == {"greetings": ["Hello Ada!"]}
    assert "Bearer $(cat .somnus/trust/token)" in curl


def test_the_python_of_the_readme_calls_the_plugin(
    tmp_path: Path, hello: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = blocks("python", "host.call(")

    async def as_written() -> object:
        async with PluginHost(home=".somnus") as host:
            await host.apply(await host.plan(hello))
        names: dict[str, object] = {}
        body = "\n".join(f"    {line}" for line in code.splitlines())
        exec(compile(f"async def main():\n{body}\n    return greetings", "README.md", "exec"), names)
        return await names["main"]()  # type: ignore[operator]  # made by the line before

    assert asyncio.run(as_written()) == ["Hello Ada!"]
