"""Close codes that a plugin may choose."""

from __future__ import annotations

import pytest

from somnus_plugins.web.sockets import sendable_code


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1012, 1014, 3000, 4001, 4999])
def test_codes_of_applications_are_sent_as_they_are(code: int) -> None:
    assert sendable_code(code) == code
    assert isinstance(sendable_code(code), int)


@pytest.mark.parametrize("code", [-1, 0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 2**31])
def test_codes_that_nobody_may_send_become_an_error(code: int) -> None:
    assert sendable_code(code) == 1011
    assert sendable_code(sendable_code(code)) == 1011
