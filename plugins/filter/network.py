# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: network
short_description: An address or a network in its usual form
description:
  - Takes an IPv4 or IPv6 address, or a network with the length of its prefix, and fails for anything else.
  - A network in which bits of a host are set, such as V(10.1.2.3/8), is refused, since one of its halves is a mistake.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  _input:
    description: The address or the network.
    type: str
    required: true
  address:
    description: Whether it has to be a single address, without the length of a prefix.
    type: bool
    default: false
positional: address
"""

EXAMPLES = r"""
- name: Stop before anything is done with a network that is none
  ansible.builtin.assert:
    that: networks | map('freezer.backup.network') | list == networks
"""

RETURN = r"""
_value:
  description: The network, or the address if it has to be one.
  type: str
  sample: 10.0.0.0/8
"""

import ipaddress
from typing import Any, Callable

from ansible.errors import AnsibleFilterError


def network(value: Any, address: bool = False) -> str:
    """An address or a network as ipaddress writes it."""
    text = str(value).strip()
    kind = "an IPv4 or IPv6 address" if address else "an IPv4 or IPv6 network, such as 10.0.0.0/8"
    try:
        return str(ipaddress.ip_address(text) if address else ipaddress.ip_network(text))
    except ValueError as error:
        raise AnsibleFilterError(f"{text!r} is not {kind}: {error}.") from None


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {"network": network}
