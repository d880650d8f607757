"""Where everything stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from somnus_plugins.host.home import Home, find_home


def test_a_home_is_made_for_its_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path / "a" / ".somnus")

    assert home.root.stat().st_mode & 0o777 == 0o700
    assert home.run.stat().st_mode & 0o777 == 0o700
    assert Home(home.root).root == home.root


def test_everything_of_a_plugin_lies_below_the_home(tmp_path: Path) -> None:
    home = Home(tmp_path)

    places = [home.data("a/b"), home.cache("a/b"), home.log("a/b"), home.registry, home.token, *home.rings.values()]

    assert len(set(places)) == len(places)
    assert all(each.is_relative_to(tmp_path) for each in places)
    assert set(home.rings) == {"installed", "community", "sandbox"}


def test_the_named_home_wins_over_the_nearest_and_that_over_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOMNUS_HOME", raising=False)
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)

    assert find_home(deep) == deep / ".somnus"
    (tmp_path / ".somnus").mkdir()
    assert find_home(deep) == tmp_path / ".somnus"
    monkeypatch.chdir(deep)
    assert find_home() == tmp_path / ".somnus"
    monkeypatch.setenv("SOMNUS_HOME", "/elsewhere")
    assert find_home(deep) == Path("/elsewhere")


def test_a_home_that_others_may_enter_says_so(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    alone = home.exposure
    home.root.chmod(0o755)

    assert alone == ""
    assert home.exposure == f"the home {home.root} is open to others (mode 755): `chmod 700` it"
