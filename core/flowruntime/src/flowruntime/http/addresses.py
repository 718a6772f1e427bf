"""Says which IP addresses belong to the public internet, and of the others why they don't.

`ipaddress.is_global` alone is not enough: it calls multicast global, knows nothing of addresses that carry
another one inside (6to4, Teredo, ISATAP, NAT64), and differs between versions of Python.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

__all__ = ["why_not_public"]

# The special-purpose registries of IANA (RFC 6890), as of 2025; the first match names the address.
_IPV4: Final = (
    (IPv4Network("0.0.0.0/8"), "an unspecified address"),
    (IPv4Network("10.0.0.0/8"), "a private address"),
    (IPv4Network("100.64.0.0/10"), "an address behind carrier-grade NAT"),
    (IPv4Network("127.0.0.0/8"), "a loopback address"),
    # Not IANA's: inside Azure it is the host of the virtual machine, which hands out keys.
    (IPv4Network("168.63.129.16/32"), "an address of a cloud's own"),
    (IPv4Network("169.254.0.0/16"), "a link-local address"),
    (IPv4Network("172.16.0.0/12"), "a private address"),
    (IPv4Network("192.168.0.0/16"), "a private address"),
    (IPv4Network("192.0.0.0/24"), "a reserved address"),
    (IPv4Network("192.0.2.0/24"), "a reserved address"),
    (IPv4Network("192.88.99.0/24"), "a reserved address"),
    (IPv4Network("198.18.0.0/15"), "a private address"),
    (IPv4Network("198.51.100.0/24"), "a reserved address"),
    (IPv4Network("203.0.113.0/24"), "a reserved address"),
    (IPv4Network("224.0.0.0/4"), "a multicast address"),
    (IPv4Network("240.0.0.0/4"), "a reserved address"),
)
_IPV6: Final = (
    (IPv6Network("::/128"), "an unspecified address"),
    (IPv6Network("::1/128"), "a loopback address"),
    (IPv6Network("fe80::/10"), "a link-local address"),
    (IPv6Network("fc00::/7"), "a private address"),
    (IPv6Network("fec0::/10"), "a private address"),
    (IPv6Network("64:ff9b:1::/48"), "a private address"),
    (IPv6Network("ff00::/8"), "a multicast address"),
)
# Within 2000::/3, the only part of IPv6 that is given out for public unicast.
_IPV6_UNICAST: Final = IPv6Network("2000::/3")
_IPV6_RESERVED: Final = (IPv6Network("2001::/23"), IPv6Network("2001:db8::/32"), IPv6Network("3fff::/20"))

_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_TRANSLATED: Final = IPv6Network("::ffff:0:0:0/96")
_COMPATIBLE: Final = IPv6Network("::/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR: Final = IPv6Network("2002::/16")
_TEREDO: Final = IPv6Network("2001::/32")
# ISATAP (RFC 5214, section 6.1): within any prefix, the bits before the IPv4 address; one of them does not count.
_ISATAP: Final = 0x00005EFE
_ISATAP_MASK: Final = 0xFDFFFFFF


def why_not_public(address: str | IPv4Address | IPv6Address) -> str | None:
    """What kind of address it is when it is not public unicast, None when it is.

    An IPv6 address that carries an IPv4 address is judged by that one. Raises ValueError for what is no
    address; a zone (`fe80::1%eth0`) is read over.

    >>> why_not_public("127.0.0.1"), why_not_public("::ffff:10.1.2.3")
    ('a loopback address', 'a private address')
    >>> why_not_public("1.1.1.1") is None
    True
    """
    if isinstance(address, str):
        address = ip_address(address.partition("%")[0])
    if isinstance(address, IPv4Address):
        return next((kind for network, kind in _IPV4 if address in network), None)
    for special, kind in _IPV6:
        if address in special:
            return kind
    if inner := _inner_addresses(address):
        return next((found for each in inner if (found := why_not_public(each)) is not None), None)
    if address not in _IPV6_UNICAST or any(address in network for network in _IPV6_RESERVED):
        return "a reserved address"
    if int(address) >> 32 & _ISATAP_MASK == _ISATAP:
        return why_not_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return None


def _inner_addresses(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address carries."""
    number = int(address)
    last = IPv4Address(number & 0xFFFFFFFF)
    if any(address in network for network in (_MAPPED, _TRANSLATED, _COMPATIBLE, _NAT64)):
        return (last,)
    if address in _SIX_TO_FOUR:
        return (IPv4Address(number >> 80 & 0xFFFFFFFF),)
    if address in _TEREDO:  # the server, and the client with its bits turned over (RFC 4380)
        return IPv4Address(number >> 64 & 0xFFFFFFFF), IPv4Address(int(last) ^ 0xFFFFFFFF)
    return ()
