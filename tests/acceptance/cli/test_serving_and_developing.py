"""`serve` and `dev`: until Ctrl-C."""

from __future__ import annotations

import json
import socket
import stat
import urllib.request
from pathlib import Path
from typing import Any

from tests.acceptance.cli.command import Command
from tests.acceptance.cli.plugins import CODE, write_plugin_directory


def fetched(address: str, token: str) -> Any:
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_it_says_where_it_serves_and_what_does_not_protect(greeter: Command) -> None:
    with greeter.running("serve", "--port", "0") as served:
        link = served.line_with("#token=").split()[-1]
        served.line_with("Ctrl-C")
        address, _, token = link.partition("/#token=")
        answer = fetched(f"{address}/plugins/greeter/hello", token)
        status = served.interrupt()

    assert answer == {"hello": "Hello"}
    assert status == 0
    assert served.err.count("confinement level none: ") == 1
    assert "Traceback" not in served.err


def test_a_program_gets_one_line_and_no_token(greeter: Command) -> None:
    with greeter.running("serve", "--port", "0", "--json") as served:
        told = json.loads(served.line())
        token = Path(told["token_file"])
        answer = fetched(f"{told['address']}/plugins/greeter/hello", token.read_text().strip())

    assert set(told) == {"address", "token_file"}
    assert answer == {"hello": "Hello"}
    assert stat.S_IMODE(token.stat().st_mode) == 0o600


def test_a_stopped_server_frees_its_port_and_its_home(greeter: Command) -> None:
    with greeter.running("serve", "--port", "0", "--json") as served:
        port = int(json.loads(served.line())["address"].rpartition(":")[2])

    with socket.create_server(("127.0.0.1", port)) as free:
        assert free.getsockname()[1] == port
    assert greeter.json("list")[0]["word"] == "asleep"


def test_safe_serves_with_every_plugin_off(greeter: Command) -> None:
    with greeter.running("serve", "--port", "0", "--safe", "--json") as served:
        told = json.loads(served.line())
        call = greeter.run("call", "greeter", "count", "to=1", "--json")

    assert told["address"].startswith("http://127.0.0.1:")
    assert call.status != 0
    assert call.error["code"] in {"not_ready", "unknown_plugin"}


def test_a_save_is_served_and_a_broken_one_is_not(somnus: Command) -> None:
    directory = write_plugin_directory(somnus.directory / "greeter")
    source = directory / "greeter" / "__init__.py"

    with somnus.running("dev", "greeter", "--port", "0", "--json") as dev:
        first = dev.event("reload")
        dev.line_with("address")
        source.write_text(CODE + "\nimport nothing_of_this_name\n", encoding="utf-8")
        broken = dev.event("reload")
        kept = somnus.json("call", "greeter", "greet", "name=Ann")
        source.write_text(CODE.replace('"Hello"', '"Salut"').replace("def refuse", "def deny"), encoding="utf-8")
        mended = dev.event("reload")
        new = somnus.json("call", "greeter", "greet", "name=Ann")
        status = dev.interrupt()

    assert (first["ok"], first["plugin"]["word"]) == (True, "running")
    assert (broken["ok"], broken["error"]["code"]) == (False, "invalid_plugin")
    assert kept["text"] == "Hello Ann"
    assert {"removed tool refuse", "added tool deny"} <= set(mended["changes"])
    assert mended["seconds"] > 0
    assert new["text"] == "Salut Ann"
    assert status == 0


def test_a_person_sees_file_and_line_of_a_mistake_and_what_the_plugin_prints(somnus: Command) -> None:
    directory = write_plugin_directory(somnus.directory / "greeter")

    with somnus.running("dev", "greeter", "--port", "0") as dev:
        dev.line_with("Ctrl-C")
        somnus.json("call", "greeter", "greet", "name=Ann")
        printed = dev.line_with("greeting Ann")
        (directory / "greeter" / "__init__.py").write_text("x = 1\ny = x / 0\n", encoding="utf-8")
        dev.line_with("ZeroDivisionError: division by zero")

    assert "stdout: greeting Ann" in printed
    assert "error ZeroDivisionError in import of greeter (greeter/__init__.py, line 2)" in dev.err
    assert "the version before goes on serving" in dev.err


def test_a_plugin_that_is_broken_from_the_start_may_be_repaired(somnus: Command) -> None:
    directory = write_plugin_directory(somnus.directory / "greeter", code="syntax error")

    with somnus.running("dev", "greeter", "--port", "0", "--json") as dev:
        broken = dev.event("reload")
        dev.line_with("address")
        write_plugin_directory(directory)
        mended = dev.event("reload")

    assert broken["error"]["data"]["file"] == "greeter/__init__.py"
    assert broken["error"]["data"]["line"] == 1
    assert mended["ok"] is True
    assert "added tool greet" in mended["changes"]


def test_another_name_takes_the_place_of_the_one_before(somnus: Command) -> None:
    directory = write_plugin_directory(somnus.directory / "greeter")
    manifest = directory / "pyproject.toml"

    with somnus.running("dev", "greeter", "--port", "0", "--json") as dev:
        first = dev.event("reload")
        dev.line_with("address")
        manifest.write_text(manifest.read_text().replace('name = "greeter"', 'name = "welcomer"'), encoding="utf-8")
        renamed = dev.event("reload")
        listed = [each["id"] for each in somnus.json("list")]
        somnus.json("call", "welcomer", "greet", "name=Ann")
        printed = dev.event("log")

    assert (first["plugin"]["id"], renamed["plugin"]["id"]) == ("local/greeter", "local/welcomer")
    assert listed == ["local/welcomer"]
    assert printed["line"]["plugin"] == "local/welcomer"


def test_a_manifest_that_is_gone_is_told(somnus: Command) -> None:
    directory = write_plugin_directory(somnus.directory / "greeter")

    with somnus.running("dev", "greeter", "--port", "0", "--json") as dev:
        dev.event("reload")
        dev.line_with("address")
        (directory / "pyproject.toml").unlink()
        gone = dev.event("reload")
        kept = somnus.json("call", "greeter", "greet", "name=Ann")

    assert (gone["ok"], gone["error"]["code"]) == (False, "not_a_plugin")
    assert kept["text"] == "Hello Ann"
