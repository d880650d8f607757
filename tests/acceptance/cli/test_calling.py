"""Calling tools from a shell, with and without a host that runs already."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.cli.command import Command


def test_arguments_are_read_by_the_tool_s_schema(greeter: Command) -> None:
    assert greeter.json("call", "greeter", "greet", "name=7", "times=3") == {"text": "Hello 7", "times": 3}
    assert greeter.json("call", "local/greeter", "whose", "--user", "ann") == "ann"


def test_all_arguments_come_as_one_document(greeter: Command) -> None:
    document = json.dumps({"name": "Bo", "times": 2})

    assert greeter.json("call", "greeter", "greet", "--input", document)["text"] == "Hello Bo"
    assert greeter.json("call", "greeter", "greet", "--input", "-", input=document)["times"] == 2
    assert greeter.json("call", "greeter", "greet", "-", input=document)["times"] == 2


def test_without_json_and_terminal_the_result_is_json_too(greeter: Command) -> None:
    ended = greeter.run("call", "greeter", "greet", "name=Ann")

    assert ended.status == 0
    assert ended.document == {"text": "Hello Ann", "times": 1}
    assert ended.err == ""


def test_a_stream_is_a_line_for_each_item(greeter: Command) -> None:
    ended = greeter.run("call", "greeter", "count", "to=4", "--json")

    assert ended.status == 0
    assert [json.loads(line) for line in ended.out.splitlines()] == [0, 1, 2, 3]
    assert ended.err == ""


@pytest.mark.parametrize(
    ("words", "status", "code", "said"),
    [
        (["greeter", "greet"], 2, "invalid_input", "name"),
        (["greeter", "greet", "nam=x"], 2, "invalid_input", "name"),
        (["greeter", "greet", "name=x", "times=9"], 2, "invalid_input", "times"),
        (["greeter", "greet", "--input", '{"name": 3}'], 2, "invalid_input", "name"),
        (["greeter", "sing"], 2, "unknown_tool", "greet"),
        (["nobody", "greet"], 2, "unknown_plugin", "greeter"),
        (["greeter", "refuse"], 1, "tool_error", "not \x1b[31mtoday"),
        (["greeter", "hang", "--timeout", "0.5"], 1, "call_timeout", ""),
    ],
    ids=["missing", "misspelt", "out of range", "wrong type", "no tool", "no plugin", "refused", "too slow"],
)
def test_a_call_that_fails_has_a_status_and_a_code(
    greeter: Command, words: list[str], status: int, code: str, said: str
) -> None:
    ended = greeter.run("call", *words, "--json")

    assert (ended.status, ended.error["code"]) == (status, code)
    assert said in ended.error["message"] + ended.error["remedy"]
    assert "\x1b" not in ended.out + ended.err


def test_words_of_a_plugin_s_error_are_only_words_to_a_person(greeter: Command) -> None:
    ended = greeter.run("call", "greeter", "refuse")

    assert ended.status == 1
    assert ended.out == ""
    assert ended.err == "error not \\x1b[31mtoday\n"


def test_a_host_that_runs_is_used_and_keeps_the_plugin_awake(greeter: Command) -> None:
    with greeter.running("serve", "--port", "0", "--json") as served:
        served.line()
        first = greeter.json("call", "greeter", "greet", "name=Ann")
        awake = greeter.json("info", "greeter")
        second = greeter.run("call", "greeter", "count", "to=2", "--json")
        after = greeter.json("info", "greeter")

    assert first["text"] == "Hello Ann"
    assert awake["plugin"]["word"] == "running"
    assert second.out == "0\n1\n"
    assert (after["pid"], after["calls"]) == (awake["pid"], awake["calls"] + 1)


def test_what_was_disabled_while_a_host_runs_is_refused(greeter: Command) -> None:
    with greeter.running("serve", "--port", "0", "--json") as served:
        served.line()
        greeter.json("disable", "greeter")
        call = greeter.run("call", "greeter", "greet", "name=x", "--json")
        greeter.json("enable", "greeter")
        again = greeter.json("call", "greeter", "greet", "name=x")

    assert (call.status, call.error["code"]) == (1, "not_ready")
    assert again["text"] == "Hello x"
