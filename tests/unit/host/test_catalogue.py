"""What every door agrees on."""

from __future__ import annotations

import msgspec
import pytest

from somnus_plugins.errors import UnknownPlugin
from somnus_plugins.host.catalogue import Catalogue, Listing
from somnus_plugins.wire.contributions import Contributions


def listing(plugin: str, mount: str) -> Listing:
    return Listing(id=plugin, mount=mount, version="1", generation=1, contributions=Contributions(fingerprint=""))


def test_a_plugin_is_found_by_id_mount_and_a_name_only_it_has() -> None:
    notes = listing("acme/notes", "n")
    catalogue = Catalogue(3, [notes, listing("acme/twin", "one"), listing("other/twin", "two")])

    assert [catalogue.find(each) for each in ("acme/notes", "n", "notes")] == [notes] * 3
    for unknown in ("twin", "nobody", ""):
        with pytest.raises(UnknownPlugin, match="served are: n, one, two"):
            catalogue.find(unknown)


def test_a_mount_wins_over_another_plugins_name() -> None:
    catalogue = Catalogue(1, [listing("acme/notes", "n"), listing("acme/other", "notes")])

    assert catalogue.find("notes").id == "acme/other"
    assert catalogue.find("acme/notes").mount == "n"


def test_an_empty_catalogue_says_so() -> None:
    with pytest.raises(UnknownPlugin, match="served are: none"):
        Catalogue().find("x")
    assert Catalogue().revision == 0


def test_a_record_of_it_makes_the_same_again() -> None:
    catalogue = Catalogue(7, [listing("acme/notes", "n")])

    record = msgspec.msgpack.decode(msgspec.msgpack.encode(catalogue.to_record()))

    assert record["revision"] == 7
    again = Catalogue(7, msgspec.convert(record["listings"], list[Listing]))
    assert again.listings == catalogue.listings
    assert again.find("n").name == "notes"


def test_a_listing_says_how_long_a_call_may_take_or_that_it_is_not_known() -> None:
    known = msgspec.structs.replace(listing("acme/notes", "n"), call_timeout_s=2.5)

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(known), type=Listing).call_timeout_s == 2.5
    assert listing("acme/notes", "n").call_timeout_s == 0
