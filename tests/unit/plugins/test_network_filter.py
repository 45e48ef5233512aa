# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter network."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.freezer.backup.plugins.filter.network import network


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("192.0.2.1", "192.0.2.1/32"),
        (" 192.0.2.0/255.255.255.0 ", "192.0.2.0/24"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::1", "::1/128"),
    ],
)
def test_a_network_comes_back_in_its_usual_form(given, written):
    assert network(given) == written


@pytest.mark.parametrize("given", ["10.1.2.3/8", "10.0.0.0/33", "10.0.0.300", "10", "example.org", "", None, "::/129"])
def test_what_is_no_network_is_refused_by_name(given):
    with pytest.raises(AnsibleFilterError, match="is not an IPv4 or IPv6 network"):
        network(given)


def test_an_address_must_be_a_single_one():
    assert network("2001:DB8::1", address=True) == "2001:db8::1"
    with pytest.raises(AnsibleFilterError, match="is not an IPv4 or IPv6 address"):
        network("10.0.0.0/8", address=True)
