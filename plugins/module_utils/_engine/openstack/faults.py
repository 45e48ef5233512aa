# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""What went wrong on the way to a server, in our errors, where keystoneauth1 and its libraries say it in theirs.

Each of them wraps the error of the one below. What happened is what the innermost ones say, those of the standard
library, so these are looked for; what they are wrapped in differs from release to release.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from typing import NamedTuple

from ..http.errors import BadAddress, RestError, Unreachable, Untrusted, WrongService


class Fault(NamedTuple):
    """An error, and whether it may be over when the same is asked again."""

    error: RestError
    passes: bool


def fault_of(error: BaseException, service: str, url: str, request: str, timeout_seconds: float) -> Fault:
    """The fault that ``error`` tells of. ``url`` is the address of ``service``, ``request`` what was asked of it."""
    chain = list(_causes(error))
    names = {type(one).__name__ for one in chain}
    for one in chain:
        if isinstance(one, ssl.SSLCertVerificationError):
            message = "The certificate of {0} is not trusted: {1}. Name the file of its authority with ca_file."
            return Fault(Untrusted(message.format(url, one.verify_message)), False)
        if isinstance(one, ssl.SSLError):
            message = "TLS with {0} broke: {1}. Is it http, or does it want a client_cert?"
            return Fault(Untrusted(message.format(url, one.reason or one)), False)
    if "ConnectTimeoutError" in names:
        return Fault(
            Unreachable(
                f"{service} at {url} cannot be reached: no connection within {timeout_seconds:g} seconds (timeout_seconds)."
            ),
            False,
        )
    if "ReadTimeout" in names or "ReadTimeoutError" in names:
        return Fault(Unreachable(f"{request} got no answer for {timeout_seconds:g} seconds (timeout_seconds)."), False)
    reason = next((one.strerror for one in chain if isinstance(one, OSError) and one.errno is not None), None)
    if "NewConnectionError" in names or "NameResolutionError" in names:
        return Fault(Unreachable(f"{service} at {url} cannot be reached: {reason or _said(error)}."), True)
    for one in chain:
        if isinstance(one, http.client.RemoteDisconnected):
            reason = "the server closed it without an answer"
        elif isinstance(one, http.client.IncompleteRead):
            reason = "it ended in the middle of the answer"
        elif isinstance(one, http.client.HTTPException):
            return Fault(WrongService(f"What answers at {url} does not speak HTTP: {one!r}."), False)
        elif isinstance(one, UnicodeError) or type(one).__name__ in ("InvalidURL", "LocationParseError"):
            return Fault(BadAddress(f"url {url!r} names a host that cannot exist: {_said(one)}."), False)
    return Fault(Unreachable(f"The connection was lost during {request}: {reason or _said(error)}."), True)


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
