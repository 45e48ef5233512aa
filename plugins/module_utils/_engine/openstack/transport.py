# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""How the servers of a cloud are spoken to."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..http.connection import Tls
from ..http.repeating import RETRIES, TIMEOUT_SECONDS


@dataclass(frozen=True)
class Transport:
    """How servers are spoken to, Keystone and the services of a cloud alike."""

    tls: Tls = field(default_factory=Tls)
    timeout_seconds: float = TIMEOUT_SECONDS
    retries: int = RETRIES
    #: The address of a proxy for HTTP, which is asked in place of Keystone and the services of a cloud; "none" is no proxy
    #: at all, and None the one of the environment (``http_proxy``, ``https_proxy``, ``no_proxy``).
    proxy: str | None = None
