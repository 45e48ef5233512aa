# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The log of a sequence of steps, as far as its order is one."""

from __future__ import annotations

from collections.abc import Iterable

#: Steps in which each host goes on when it is ready, so that one may be done before another starts.
_EACH_FOR_ITSELF = ("prepare", "freeze")


def phases(logged: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, set[str]]]:
    """Steps, events and hosts of lines of a host, a step and an event: neighbours of one step and event belong together."""
    found: list[tuple[str, str, set[str]]] = []
    for host, step, event in logged:
        near = found[-2:] if step in _EACH_FOR_ITSELF else found[-1:]
        hosts = next((hosts for *same, hosts in near if same == [step, event]), None)
        if hosts is None:
            hosts = set()
            found.append((step, event, hosts))
        hosts.add(host)
    return found
