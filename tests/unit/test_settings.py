"""Settings: three sources, one order, and an error with its place for whatever does not fit."""

from __future__ import annotations

import dataclasses
import math
import typing
from pathlib import Path
from typing import Any

import pytest

from somnus_plugins.errors import InvalidSetting
from somnus_plugins.settings import (
    MIB,
    HostSettings,
    RuntimeSettings,
    Settings,
    WebSettings,
    WireSettings,
    load_settings,
)

GROUPS = typing.get_type_hints(Settings)
EVERY = [(group, each) for group, owner in GROUPS.items() for each in dataclasses.fields(owner)]
RANGED = [(f"{group}.{each.name}", each) for group, each in EVERY if "low" in each.metadata]
NAMES = [name for name, _ in RANGED]


def load(home: Path | None = None, environment: dict[str, str] | None = None, **overrides: Any) -> Settings:
    """Settings that do not depend on the environment of whoever runs the tests; `wire__x=1` stands for `wire.x`."""
    dotted = {name.replace("__", "."): value for name, value in overrides.items()}
    return load_settings(home, environment=environment or {}, overrides=dotted)


def write_config(home: Path, text: str) -> Path:
    (home / "config.toml").write_text(text, encoding="utf-8")
    return home


# --- defaults --------------------------------------------------------------------------------------------------------


def test_without_any_source_everything_has_its_default(tmp_path: Path) -> None:
    assert load(tmp_path) == Settings()
    assert load(None) == Settings()


@pytest.mark.parametrize(("name", "field"), RANGED, ids=NAMES)
def test_every_default_lies_within_its_own_range(name: str, field: dataclasses.Field[Any]) -> None:
    low, high = field.metadata["low"], field.metadata["high"]

    assert low <= field.default <= high
    assert low < high, name


def test_settings_cannot_be_changed_after_they_were_loaded() -> None:
    settings = load()

    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.runtime.pool_size = 9  # type: ignore[misc]  # that it is refused is the point
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.runtime = RuntimeSettings()  # type: ignore[misc]  # that it is refused is the point
    assert hash(settings) == hash(Settings())


def test_what_makes_a_home_less_safe_is_off_unless_somebody_says_so() -> None:
    assert HostSettings().allow_unsandboxed is False
    assert WebSettings().host == "127.0.0.1"
    assert "*" not in WebSettings().allowed_hosts


# --- sources ---------------------------------------------------------------------------------------------------------


def test_the_file_of_the_home_is_read(tmp_path: Path) -> None:
    home = write_config(
        tmp_path,
        """
        [runtime]
        pool_size = 7
        crash_backoff_s = [0, 1.5]
        [host]
        extra_paths = ["a", "b"]
        allow_unsandboxed = true
        """,
    )
    settings = load(home)

    assert settings.runtime == RuntimeSettings(pool_size=7, crash_backoff_s=(0.0, 1.5))
    assert settings.host == HostSettings(extra_paths=("a", "b"), allow_unsandboxed=True)
    assert settings.wire == WireSettings()


def test_later_sources_win_name_by_name(tmp_path: Path) -> None:
    home = write_config(tmp_path, "[runtime]\npool_size = 1\ncrash_max = 2\nzygote_max_forks = 3\n")
    environment = {"SOMNUS_RUNTIME__CRASH_MAX": "20", "SOMNUS_RUNTIME__ZYGOTE_MAX_FORKS": "30"}
    runtime = load(home, environment, runtime__zygote_max_forks=300).runtime

    assert (runtime.pool_size, runtime.crash_max, runtime.zygote_max_forks) == (1, 20, 300)


def test_the_environment_of_the_process_is_read_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMNUS_WEB__PORT", "9001")

    assert load_settings().web.port == 9001
    assert load_settings(environment={}).web.port == WebSettings().port
    assert load_settings(overrides={"web.port": 9002}).web.port == 9002


def test_variables_that_are_not_settings_are_left_alone() -> None:
    environment = {
        "SOMNUS_HOME": "/srv/somnus",
        "PATH": "/bin",
        "OTHER_RUNTIME__POOL_SIZE": "x",
        "RUNTIME__POOL_SIZE": "y",
    }

    assert load(environment=environment) == Settings()


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("SOMNUS_RUNTIME__POOL_SIZE", "4", ("runtime", "pool_size", 4)),
        ("SOMNUS_RUNTIME__STOP_TIMEOUT_S", "0.25", ("runtime", "stop_timeout_s", 0.25)),
        ("SOMNUS_RUNTIME__CRASH_BACKOFF_S", "0, 1,2.5", ("runtime", "crash_backoff_s", (0.0, 1.0, 2.5))),
        ("SOMNUS_WEB__ALLOWED_HOSTS", "a.example, b.example,", ("web", "allowed_hosts", ("a.example", "b.example"))),
        ("SOMNUS_WEB__ALLOWED_HOSTS", "", ("web", "allowed_hosts", ())),
        ("SOMNUS_WEB__HOST", "0.0.0.0", ("web", "host", "0.0.0.0")),
        *[
            ("SOMNUS_HOST__ALLOW_UNSANDBOXED", text, ("host", "allow_unsandboxed", True))
            for text in ("1", "true", "YES", "on")
        ],
        *[
            ("SOMNUS_HOST__ALLOW_UNSANDBOXED", text, ("host", "allow_unsandboxed", False))
            for text in ("0", "False", "no", "off")
        ],
    ],
)
def test_text_of_the_environment_becomes_the_type_of_the_setting(
    variable: str, text: str, expected: tuple[str, str, Any]
) -> None:
    group, name, value = expected
    found = getattr(getattr(load(environment={variable: text}), group), name)

    assert found == value
    assert type(found) is type(value)


def test_a_whole_number_written_with_a_point_is_a_number_of_things() -> None:
    assert load(runtime__pool_size=4.0).runtime.pool_size == 4
    assert type(load(runtime__pool_size=4.0).runtime.pool_size) is int
    assert type(load(runtime__stop_timeout_s=4).runtime.stop_timeout_s) is float


# --- what does not fit -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "field"), RANGED, ids=NAMES)
def test_a_value_beyond_its_range_is_refused_with_the_range(name: str, field: dataclasses.Field[Any]) -> None:
    low, high = field.metadata["low"], field.metadata["high"]

    for value in (low - 1, high + 1):
        with pytest.raises(InvalidSetting, match=f"{name}.*out of range") as caught:
            load(**{name.replace(".", "__"): value})
        assert f"{low:g} to {high:g}" in caught.value.message
        assert f"{field.default!r}" in caught.value.remedy


@pytest.mark.parametrize(("name", "field"), RANGED, ids=NAMES)
def test_the_ends_of_a_range_belong_to_it(name: str, field: dataclasses.Field[Any]) -> None:
    group, _, attribute = name.partition(".")

    for end in ("low", "high"):
        settings = load(**{f"{group}__{attribute}": field.metadata[end]})
        assert getattr(getattr(settings, group), attribute) == field.metadata[end]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "nan", "inf"])
def test_no_limit_can_be_switched_off_by_a_number_that_is_none(value: Any) -> None:
    with pytest.raises(InvalidSetting) as caught:
        load(limits__call_timeout_s=value)

    assert caught.value.exit_code == 2
    assert "limits.call_timeout_s" in caught.value.message


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("runtime.pool_size", "four", "int"),
        ("runtime.pool_size", 2.5, "int"),
        ("runtime.pool_size", True, "int"),
        ("runtime.pool_size", [1], "int"),
        ("runtime.pool_size", None, "int"),
        ("runtime.stop_timeout_s", "soon", "float"),
        ("runtime.stop_timeout_s", False, "float"),
        ("runtime.crash_backoff_s", "0,soon", "tuple"),
        ("runtime.crash_backoff_s", 5, "tuple"),
        ("host.allow_unsandboxed", "maybe", "bool"),
        ("host.allow_unsandboxed", 1, "bool"),
        ("host.extra_paths", [1], "tuple"),
        ("web.host", 127, "str"),
        ("web.host", ["127.0.0.1"], "str"),
    ],
)
def test_a_value_of_another_type_is_refused_with_place_and_type(name: str, value: Any, kind: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        load_settings(environment={}, overrides={name: value})

    assert f"argument {name}" in caught.value.message
    assert repr(value) in caught.value.message
    assert kind in caught.value.message
    assert "default" in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("runtime.pool_sise", "runtime.pool_size"), ("wire.window", "wire.window_bytes"), ("webb.port", "web.port")],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(name: str, nearest: str) -> None:
    with pytest.raises(InvalidSetting, match=f"no setting {name}; the nearest is {nearest}") as caught:
        load_settings(environment={}, overrides={name: 1})

    assert "docs/reference/settings.md" in caught.value.remedy


@pytest.mark.parametrize("name", ["zzz.qqq", "runtime", "", ".", "runtime.pool_size.more"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidSetting, match="there is no setting") as caught:
        load_settings(environment={}, overrides={name: 1})

    assert caught.value.code == "invalid_setting"


def test_an_error_names_the_file_or_the_variable_it_comes_from(tmp_path: Path) -> None:
    home = write_config(tmp_path, "[wire]\nstrikes_max = -1\n")

    with pytest.raises(InvalidSetting, match=r"config\.toml: wire\.strikes_max: -1 is out of range"):
        load(home)
    with pytest.raises(InvalidSetting, match="environment variable SOMNUS_WIRE__STRIKES_MAX: -1 is out of range"):
        load(environment={"SOMNUS_WIRE__STRIKES_MAX": "-1"})
    with pytest.raises(InvalidSetting, match="environment variable SOMNUS_WIRE__STRIKE_MAX: there is no setting"):
        load(environment={"SOMNUS_WIRE__STRIKE_MAX": "1"})


def test_a_value_that_a_later_source_replaces_does_not_have_to_fit(tmp_path: Path) -> None:
    home = write_config(tmp_path, "[wire]\nstrikes_max = -1\n")

    assert load(home, wire__strikes_max=3).wire.strikes_max == 3
    assert load(home, {"SOMNUS_WIRE__STRIKES_MAX": "5"}).wire.strikes_max == 5


@pytest.mark.parametrize(
    "text", [b"[wire", b"pool_size = ", b"\xff\xfe[wire]", b"[wire]\nwindow_bytes = 1\nwindow_bytes = 2\n"]
)
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "config.toml").write_bytes(text)

    with pytest.raises(InvalidSetting, match=r"config\.toml is not valid TOML") as caught:
        load(tmp_path)
    assert "Correct the file" in caught.value.remedy


def test_a_setting_outside_a_table_is_refused_with_the_tables_there_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="'pool_size' stands outside a table") as caught:
        load(write_config(tmp_path, "pool_size = 3\n"))

    assert all(group in caught.value.message for group in GROUPS)


def test_limits_between_sides_fit_each_other() -> None:
    settings = Settings()

    assert settings.wire.inline_max_bytes <= settings.wire.frame_max_bytes
    assert settings.wire.frame_max_bytes >= 64 * MIB
    assert settings.runtime.cancel_grace_s < settings.runtime.stop_timeout_s < settings.host.drain_timeout_s
