"""``ssh://…``: read, and refused in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.errors import UsageError
from edgecnn.remote.address import Address, is_address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ssh://pi@raspberrypi.local", Address("raspberrypi.local", "pi")),
        ("ssh://raspberrypi", Address("raspberrypi")),
        ("SSH://pi@10.0.0.7:2222/", Address("10.0.0.7", "pi", 2222)),
        ("ssh://pi@[fe80::1%eth0]:22", Address("fe80::1%eth0", "pi", 22)),
        ("ssh://a_b.c-d@my_board", Address("my_board", "a_b.c-d")),
    ],
)
def test_what_is_understood(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pi@host", "no ssh address"),
        ("ssh://", "no host name"),
        ("ssh://pi@", "no host name"),
        ("ssh://@host", "no user name"),
        ("ssh://pi@host:0", "no port"),
        ("ssh://pi@host:65536", "no port"),
        ("ssh://pi@host:", "no port"),
        ("ssh://pi@host:٢٢", "no port"),
        ("ssh://pi@host/home/pi", "a path or query"),
        ("ssh://pi@host?x=1", "a path or query"),
        ("ssh://pi@fe80::1", "in brackets"),
        ("ssh://pi@[host]", "no host name"),
        ("ssh://pi@-oProxyCommand=x", "no host name"),
        ("ssh://-l@host", "no user name"),
        ("ssh://pi@ho st", "no host name"),
        ("ssh://pi@host;reboot", "no host name"),
        ("ssh://p$(id)@host", "no user name"),
    ],
)
def test_what_is_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_address(text)


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as refusal:
        parse_address("ssh://pi:hunter2@host")
    assert "hunter2" not in str(refusal.value)
    assert "ssh-copy-id" in str(refusal.value)


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = parse_address("ssh://" + text)
    except UsageError:
        return
    assert is_address(str(address))
    assert not set(address.host + (address.user or "")) & set(" '\"`$;&|<>()\\\n")
    assert not address.host.startswith("-")
