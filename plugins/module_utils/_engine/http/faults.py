# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""What went wrong on the way to a server, in our errors, where the standard library or keystoneauth1 says it in theirs.

keystoneauth1 and its libraries each wrap the error of the one below. What happened is what the innermost ones say,
those of the standard library, so these are looked for; what they are wrapped in differs from release to release.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from typing import NamedTuple

from .errors import BadAddress, RestError, Unreachable, Untrusted, WrongService

#: What a server may have seen of the request: nothing, perhaps all of it, or perhaps all with the time being up; or the
#: same request fails again.
NEVER_SENT, LOST, SILENT, LASTING = "never sent", "lost", "silent", "lasting"


class Fault(NamedTuple):
    """What happened, the reason in a few words, and the error for whom it is the end."""

    kind: str
    reason: str
    error: RestError


def fault_of(error: BaseException, service: str, url: str, request: str, timeout_seconds: float) -> Fault:
    """The fault that ``error`` tells of. ``url`` is the address of ``service``, ``request`` what was asked of it."""
    chain = list(_causes(error))
    names = {type(one).__name__ for one in chain}
    end = _lasting(chain, url)
    if end is not None:
        return Fault(LASTING, str(end), end)
    time = f"{timeout_seconds:g} seconds (the timeout)"
    if names & {"ConnectTimeoutError"}:
        reason = f"no connection within {time}"
        return Fault(LASTING, reason, Unreachable(f"{service} at {url} cannot be reached: {reason}."))
    if names & {"ReadTimeout", "ReadTimeoutError", "timeout", "TimeoutError"}:
        return Fault(SILENT, f"no answer for {time}", Unreachable(f"{request} got no answer for {time}."))
    told = (one.strerror for one in chain if isinstance(one, OSError) and one.errno is not None)
    reason = next(told, None) or _said(error)
    if "ProxyError" in names:
        reason += " (through the proxy that the option proxy names, or http_proxy and https_proxy of the environment)"
    if names & {"NewConnectionError", "NameResolutionError"}:
        return Fault(NEVER_SENT, reason, Unreachable(f"{service} at {url} cannot be reached: {reason}."))
    if any(isinstance(one, http.client.RemoteDisconnected) for one in chain):
        reason = "the server closed it without an answer"
    elif any(isinstance(one, http.client.IncompleteRead) for one in chain):
        reason = "it ended in the middle of the answer"
    return Fault(LOST, reason, Unreachable(f"The connection was lost during {request}: {reason}."))


def _lasting(chain: list[BaseException], url: str) -> RestError | None:
    """The error for what is the same the next time."""
    for one in chain:
        if isinstance(one, ssl.SSLCertVerificationError) or type(one).__name__ == "CertificateError":
            # The latter is of older releases of urllib3, which compare names themselves.
            message = "The certificate of {0} is not trusted: {1}. Name the file of its authority with ca_file."
            return Untrusted(message.format(url, getattr(one, "verify_message", None) or _said(one)))
        if isinstance(one, ssl.SSLError):
            message = "TLS with {0} broke: {1}. Is it http, or does it want a client_cert?"
            return Untrusted(message.format(url, one.reason or one))
        if isinstance(one, UnicodeError) or type(one).__name__ in ("InvalidURL", "LocationParseError"):
            return BadAddress(f"url {url!r} names a host that cannot exist: {_said(one)}.")
        passing = (http.client.RemoteDisconnected, http.client.IncompleteRead)
        if isinstance(one, http.client.HTTPException) and not isinstance(one, passing):
            return WrongService(f"What answers at {url} does not speak HTTP: {one!r}.")
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it tells of, outermost first."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        waiting += [other for other in inner if isinstance(other, BaseException)]


def _said(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".")
