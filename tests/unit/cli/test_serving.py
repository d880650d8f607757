"""Serving, as far as it goes wrong before anything runs."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.ending import Ending

Somnus = Callable[..., Ending]


def test_a_port_that_is_taken_is_told_with_what_to_do(somnus: Somnus, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ended = somnus("serve", "--port", port, "--home", str(tmp_path / "home"), "--json")

    assert ended.status == 1
    assert ended.error["code"] == "host_error"
    assert ended.error["message"] == f"cannot listen on 127.0.0.1, port {port}: another program listens there"
    assert "--port" in ended.error["remedy"]


@pytest.mark.parametrize("port", ["x", "-1", "65536", "1.5"])
def test_a_port_that_is_none_is_a_usage_error(somnus: Somnus, tmp_path: Path, port: str) -> None:
    ended = somnus("serve", f"--port={port}", "--home", str(tmp_path / "home"), "--json")

    assert ended.status == 2
    assert ended.error["code"] == "invalid_setting"
    assert "web.port" in ended.error["message"]


def test_an_address_of_another_machine_is_told(somnus: Somnus, tmp_path: Path) -> None:
    ended = somnus("serve", "--host", "192.0.2.1", "--port", "0", "--home", str(tmp_path / "home"))

    assert ended.status == 1
    assert "this machine does not have that address" in ended.err
    assert ended.out == ""


def test_a_directory_without_a_manifest_is_not_served(somnus: Somnus, tmp_path: Path) -> None:
    ended = somnus("dev", str(tmp_path), "--port", "0", "--home", str(tmp_path / "home"), "--json")

    assert ended.status == 2
    assert ended.error["code"] == "not_a_plugin"
    assert not (tmp_path / "home").exists()
