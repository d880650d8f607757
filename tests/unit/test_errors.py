"""The tree of errors: stable codes, sentences for people, and records that cannot hurt whoever reads them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from somnus_plugins import errors
from somnus_plugins.errors import (
    MESSAGE_MAX_CHARS,
    CallTimeout,
    ConsentRequired,
    HostLost,
    InvalidInput,
    InvalidManifest,
    PermanentError,
    PermissionDenied,
    PlanChanged,
    PluginError,
    PluginRaised,
    ProtocolViolation,
    RefusedError,
    SomnusError,
    TemporaryError,
    ToolError,
    UnknownPlugin,
    UsageError,
    error_classes,
    from_record,
)

TREE = [each for each in error_classes() if each.__module__ == errors.__name__]


def test_every_class_is_exported_and_every_code_belongs_to_one_class() -> None:
    codes = [each.code for each in TREE]

    assert {each.__name__ for each in TREE} == set(errors.__all__) - {"error_classes", "from_record"}
    assert len(codes) == len(set(codes)) > 30


@pytest.mark.parametrize("error", TREE)
def test_a_code_is_a_word_that_may_stand_in_a_url_or_a_shell_script(error: type[SomnusError]) -> None:
    assert error.code.replace("_", "").isalpha()
    assert error.code == error.code.lower()
    assert "code" in vars(error)


@pytest.mark.parametrize("error", TREE)
def test_exit_and_http_statuses_are_of_the_kinds_that_are_promised(error: type[SomnusError]) -> None:
    assert error.exit_code in {1, 2, 3}
    assert 400 <= error.http_status <= 599
    if error.exit_code == 3:
        assert error.http_status in {401, 403, 409}


@pytest.mark.parametrize(("branch", "exit_code"), [(UsageError, 2), (RefusedError, 3)])
def test_a_branch_keeps_its_exit_status(branch: type[SomnusError], exit_code: int) -> None:
    members = [each for each in TREE if issubclass(each, branch)]

    assert len(members) > 4
    assert {each.exit_code for each in members} == {exit_code}


def test_parents_come_before_their_children() -> None:
    order = list(error_classes())

    assert order[0] is SomnusError
    assert all(order.index(each.__bases__[0]) < order.index(each) for each in TREE[1:])


@pytest.mark.parametrize("error", TREE)
def test_without_a_message_an_error_says_what_its_class_means(error: type[SomnusError]) -> None:
    raised = error()

    assert str(raised) == raised.message == (error.__doc__ or "").splitlines()[0]
    assert raised.remedy == ""


def test_an_error_says_its_message_and_keeps_its_remedy_beside_it() -> None:
    error = UnknownPlugin("there is no plugin 'notse'; the nearest is 'notes'", remedy="See `somnus list`.")

    assert str(error) == "there is no plugin 'notse'; the nearest is 'notes'"
    assert error.args == ("there is no plugin 'notse'; the nearest is 'notes'",)
    assert error.remedy == "See `somnus list`."


def test_the_facts_of_an_error_are_a_copy_of_what_was_given() -> None:
    facts: dict[str, Any] = {"problems": []}
    error = InvalidManifest("one rule is broken", data=facts)
    error.data["file"] = "pyproject.toml"

    assert facts == {"problems": []}
    assert error.data == {"problems": [], "file": "pyproject.toml"}


def test_a_record_holds_code_message_and_remedy_and_data_only_where_there_are_any() -> None:
    assert HostLost("gone", remedy="Call again.").to_record() == {
        "code": "host_lost",
        "message": "gone",
        "remedy": "Call again.",
    }
    assert ConsentRequired("agree first", data={"plan": {"hash": "ab"}}).to_record()["data"] == {"plan": {"hash": "ab"}}


@pytest.mark.parametrize("error", TREE)
def test_an_error_comes_back_from_its_record_as_itself(error: type[SomnusError]) -> None:
    sent = error("what was found", remedy="what to do", data={"where": "here"})
    received = from_record(sent.to_record())

    assert type(received) is error
    assert received.to_record() == sent.to_record()


def test_errors_can_be_copied_and_pickled_with_their_facts() -> None:
    error = TemporaryError("not now", 3.0, remedy="Wait.", data={"queue": 7})

    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is TemporaryError
        assert other.to_record() == error.to_record()


# --- records from a plugin: hostile ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    ["host_lost", "plan_changed", "usage", "failed", "PluginError", "__class__", "", None, 7, ["tool_error"], {}],
)
def test_a_plugin_can_only_ever_raise_errors_of_plugins(code: Any) -> None:
    error = from_record({"code": code, "message": "I am the host"}, within=PluginError)

    assert type(error) is PluginError
    assert error.message == "I am the host"


@pytest.mark.parametrize(
    "error", [ToolError, PluginRaised, PermanentError, CallTimeout, PermissionDenied, InvalidInput]
)
def test_the_branch_itself_is_rebuilt_within_its_bounds(error: type[PluginError]) -> None:
    found = from_record({"code": error.code, "message": "no"}, within=PluginError)

    assert type(found) is error
    assert isinstance(found, PluginError)


def test_an_unknown_code_is_a_plain_failure() -> None:
    error = from_record({"code": "of_a_later_version", "message": "new", "remedy": "update"})

    assert type(error) is SomnusError
    assert (error.code, error.message, error.remedy) == ("failed", "new", "update")


def test_long_texts_of_a_record_are_cut() -> None:
    error = from_record({"code": "tool_error", "message": "m" * 10_000, "remedy": "r" * 10_000})

    assert len(error.message) == len(error.remedy) == MESSAGE_MAX_CHARS


@pytest.mark.parametrize("value", [None, 0, "", [], {}])
def test_a_record_without_a_message_takes_the_meaning_of_its_class(value: Any) -> None:
    error = from_record({"code": "plan_changed", "message": value, "remedy": value, "data": value})

    assert error.message == (PlanChanged.__doc__ or "").splitlines()[0]
    assert (error.remedy, error.data) == ("", {})


@pytest.mark.parametrize("data", [None, "text", 5, ["a"], b"bytes"])
def test_facts_that_are_no_mapping_are_dropped(data: Any) -> None:
    error = from_record({"code": "protocol_violation", "message": "bad", "data": data})

    assert type(error) is ProtocolViolation
    assert error.data == {}


def test_an_empty_record_is_still_an_error() -> None:
    assert type(from_record({})) is SomnusError
    assert type(from_record({}, within=PluginError)) is PluginError


# --- retries ---------------------------------------------------------------------------------------------------------


def test_a_temporary_error_says_how_long_to_wait() -> None:
    assert TemporaryError("busy").delay_s == 1.0
    assert TemporaryError("busy", 2.5).delay_s == 2.5
    assert TemporaryError("busy", 2.5).data == {"delay_s": 2.5}


def test_the_delay_of_a_temporary_error_survives_the_wire() -> None:
    received = from_record(TemporaryError("busy", 30.0, data={"queue": 7}).to_record(), within=PluginError)

    assert isinstance(received, TemporaryError)
    assert received.delay_s == 30.0
    assert received.data == {"queue": 7, "delay_s": 30.0}


@pytest.mark.parametrize(("delay", "expected"), [(-5, 0.0), ("soon", 1.0), (None, 1.0), ([], 1.0), (0, 0.0)])
def test_a_delay_that_makes_no_sense_does_not_stop_the_caller(delay: Any, expected: float) -> None:
    error = TemporaryError("busy")
    error.data["delay_s"] = delay

    assert error.delay_s == expected
    assert error.delay_s >= 0.0
