# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Sets of networks, and which addresses are in them."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import netaddr

_REMEMBER_MOST = 4096


class Networks:
    """Networks in CIDR notation; an address is a network of one. Raises ValueError with a sentence for anything else."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = tuple(text.strip() for text in texts)
        self._set = netaddr.IPSet(_network(text) for text in self.texts)
        # Clients come again, and a look into the set costs more than one into this cache.
        self._has = functools.lru_cache(_REMEMBER_MOST)(self._look)

    def __contains__(self, address: str) -> bool:
        return self._has(address)

    def __bool__(self) -> bool:
        return bool(self.texts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Networks) and self.texts == other.texts

    def __hash__(self) -> int:
        return hash(self.texts)

    def __repr__(self) -> str:
        return f"Networks({', '.join(self.texts)})"

    def _look(self, address: str) -> bool:
        plain = plain_address(address)
        return plain is not None and netaddr.IPAddress(plain) in self._set


NOWHERE = Networks(())


def plain_address(text: str) -> str | None:
    """An address as it is usually written, None if the text is none.

    An IPv4 address that arrives at a socket of both families (``::ffff:192.0.2.1``) is that IPv4 address; the zone of a
    link-local one (``fe80::1%eth0``) is dropped.
    """
    try:
        address = netaddr.IPAddress(text.partition("%")[0], flags=netaddr.INET_PTON)
        if address.version == 6 and address.is_ipv4_mapped():
            address = address.ipv4()
    except (netaddr.AddrFormatError, ValueError):
        return None
    return str(address)


def _network(text: str) -> netaddr.IPNetwork:
    try:
        return netaddr.IPNetwork(text)
    except (netaddr.AddrFormatError, ValueError):
        raise ValueError(f"{text!r} is no network; write one such as 192.0.2.0/24 or 2001:db8::/32") from None
