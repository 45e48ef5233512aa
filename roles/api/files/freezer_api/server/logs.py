# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The logs: one line for each record, to standard error or to a file that may be rotated."""

from __future__ import annotations

import logging
import logging.handlers
import re
import time
from pathlib import Path
from urllib.parse import quote

import falcon

from ..access.unix_socket import peer_in

ACCESS = logging.getLogger("freezer_api.access")

_FORMAT = "%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s %(message)s"
_GLOBAL_ID = re.compile(r"req-[0-9a-fA-F-]{1,64}")
_MAX_PATH = 500


def set_up(log_file: Path | None, *, debug: bool) -> None:
    """Write the log of this process to a file, or to standard error. Raises OSError if the file cannot be opened."""
    handler: logging.Handler = (
        logging.handlers.WatchedFileHandler(log_file, encoding="utf-8") if log_file else logging.StreamHandler()
    )
    formatter = logging.Formatter(_FORMAT, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO if debug else logging.WARNING)
    logging.getLogger("freezer_api").setLevel(logging.DEBUG if debug else logging.INFO)
    # They warn of every invalid token, which the access log shows too, and of errors that they raise as well.
    for library in ("keystonemiddleware", "stevedore"):
        logging.getLogger(library).setLevel(logging.INFO if debug else logging.ERROR)


class AccessLog:
    """Writes a line about every request: ids, address, user and project, method and path, status and time.

    Neither headers nor the query string, which may have a search for a secret in it, are in the log.
    """

    def ended(self, request: falcon.Request, response: falcon.Response, seconds: float, sent_bytes: int) -> None:
        """Log a request that has its answer."""
        sender = getattr(request.context, "sender", None)
        theirs = request.get_header("X-Openstack-Request-Id") or ""
        ACCESS.info(
            '%s %s %s %s %s "%s %s" %s %d %.4f',
            request.context.request_id,
            theirs if _GLOBAL_ID.fullmatch(theirs) else "-",
            _address(request),
            sender.user_id if sender else "-",
            sender.project_id if sender else "-",
            quote(request.method, safe=""),
            quote(request.path[:_MAX_PATH], safe="/:"),
            response.status_code,
            sent_bytes,
            seconds,
        )


def _address(request: falcon.Request) -> str:
    """Where a request came from: an address, or the user of this machine at the other end of a Unix socket."""
    peer = peer_in(request.env)
    # A proxy that uses the socket names its client's address, which says more.
    return f"unix:{peer.name}" if peer is not None and request.remote_addr == "127.0.0.1" else str(request.remote_addr)
