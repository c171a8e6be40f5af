"""Which addresses a manifest's URL may lead to, in whatever way they are written."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workers.resolver import Resolver
from workers.reach import Forbidden, Reach, is_public

INNER = [
    "0.1.2.3",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",  # Alibaba's metadata service
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",  # Azure's wire server
    "169.254.169.254",  # nearly everybody's metadata service
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",  # Oracle's metadata service
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",  # Teredo
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "fc00::1",
    "fd00:ec2::254",  # Amazon's metadata service
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::1.1.1.1", "::ffff:1.1.1.1"]


@pytest.mark.parametrize("address", INNER)
def test_an_address_inside_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    assert not Reach().takes(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_world_is(address: str) -> None:
    assert Reach().takes(address)


@given(st.ip_addresses())
def test_nothing_that_python_knows_as_special_is_public(address: ipaddress.IPv4Address) -> None:
    """Its tables lag behind IANA's, but where they say that an address is inside, it is."""
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert not is_public(address)


@pytest.mark.parametrize(
    "written", ["2130706433", "0x7f000001", "0x7f.1", "127.1", "017700000001", "0177.0.0.1", "::1", "0"]
)
async def test_an_address_is_known_in_every_spelling_that_the_system_knows(written: str) -> None:
    with pytest.raises(Forbidden, match="no public address"):
        await Reach().addresses(written, 80)


async def test_of_a_name_every_address_has_to_be_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of them a connection would go to."""
    Resolver(monkeypatch, {"mixed.example": [["93.184.215.14", "10.0.0.7"]], "plain.example": [["93.184.215.14"]]})
    assert await Reach().addresses("plain.example", 443) == ["93.184.215.14"]
    with pytest.raises(Forbidden, match=r"mixed\.example leads to 10\.0\.0\.7"):
        await Reach().addresses("mixed.example", 443)


@pytest.mark.parametrize("allowed", ["10.0.0.7", "10.0.0.0/8", "files.example", "*.example", "FILES.example"])
async def test_what_is_allowed_is_reached(monkeypatch: pytest.MonkeyPatch, allowed: str) -> None:
    Resolver(monkeypatch, {"files.example": [["10.0.0.7"]]})
    assert await Reach([allowed]).addresses("files.example", 80) == ["10.0.0.7"]


@pytest.mark.parametrize("allowed", ["10.0.0.8", "192.168.0.0/16", "other.example", "*.files.example", "example"])
async def test_and_nothing_besides(monkeypatch: pytest.MonkeyPatch, allowed: str) -> None:
    Resolver(monkeypatch, {"files.example": [["10.0.0.7"]]})
    with pytest.raises(Forbidden):
        await Reach([allowed]).addresses("files.example", 80)


async def test_an_allowed_network_is_known_in_ipv6s_spelling_of_it() -> None:
    assert Reach(["10.0.0.0/8"]).takes("::ffff:10.0.0.7")
    assert not Reach(["10.0.0.0/8"]).takes("::1")


@pytest.mark.parametrize("host", ["", "a" * 300, "xn--" + "\u00e5" * 80, "..", "a..b", "%00", "fe80::1%99"])
async def test_what_is_no_host_leads_nowhere(host: str) -> None:
    with pytest.raises((OSError, Forbidden)):
        await Reach().addresses(host, 80)
