# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Requests through a proxy: the address of their sender, and the URL that the sender used.

``Forwarded`` (RFC 7239) or ``X-Forwarded-*`` of a trusted proxy replaces what the socket says; from any other address
these headers are ignored.
"""

from __future__ import annotations

import re
from typing import Any

from ..config.networks import Networks, plain_address

_HOST = re.compile(r"[\w.-]+(:\d+)?|\[[0-9a-fA-F:.]+\](:\d+)?")
_PREFIX = re.compile(r"(/[\w.~-]+)+/?")


def see_through(environ: dict[str, Any], trusted: Networks) -> None:
    """Change a WSGI environment to what it would be without the trusted proxies in front."""
    peer = plain_address(str(environ.get("REMOTE_ADDR", "")))
    if peer is None or peer not in trusted:
        return
    hops = _forwarded(environ.get("HTTP_FORWARDED", "")) or _x_forwarded(environ)
    # The last hop is from the nearest proxy; an earlier one counts if the proxy after it is trusted too.
    for hop in reversed(hops):
        address = _address(hop.get("for", ""))
        if hop.get("proto") in ("http", "https"):
            environ["wsgi.url_scheme"] = hop["proto"]
        if _HOST.fullmatch(hop.get("host", "")):
            environ["HTTP_HOST"] = hop["host"]
        if address is None:
            break
        environ["REMOTE_ADDR"] = address
        if address not in trusted:
            break
    prefix = str(environ.get("HTTP_X_FORWARDED_PREFIX", "")).strip()
    if _PREFIX.fullmatch(prefix):
        environ["SCRIPT_NAME"] = prefix.rstrip("/")


def _forwarded(header: str) -> list[dict[str, str]]:
    hops = []
    for element in _split(header, ","):
        parameters = [parameter.partition("=") for parameter in _split(element, ";")]
        hops.append({name.strip().lower(): value.strip().strip('"').strip() for name, _equals, value in parameters})
    return hops


def _split(text: str, separator: str) -> list[str]:
    """The parts of a text between separators outside quotes; in linear time."""
    return [part for part in re.findall(rf'(?:"[^"]*"|[^{separator}"])+', text) if part.strip()]


def _x_forwarded(environ: dict[str, Any]) -> list[dict[str, str]]:
    senders = [{"for": sender.strip()} for sender in str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",")]
    # Proxies replace these rather than append to them, so they have one value.
    for key, name in (("proto", "HTTP_X_FORWARDED_PROTO"), ("host", "HTTP_X_FORWARDED_HOST")):
        value = str(environ.get(name, "")).rpartition(",")[2].strip()
        senders[-1][key] = value.lower() if key == "proto" else value
    return senders


def _address(node: str) -> str | None:
    """The address in a node of a header: with or without a port, in brackets if it is an IPv6 one with a port."""
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::\d+)?", node)
    if bracketed:
        return plain_address(bracketed[1])
    host, colon, port = node.partition(":")
    return plain_address(host if colon and port.isdecimal() else node)
