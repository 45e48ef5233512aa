# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Let an index have another mapping, and kill this process with SIGKILL at one of its requests.

usage: killed_copy.py URL INDEX MAPPING REQUEST BEFORE|AFTER

REQUEST counts from 1; a number that is never reached kills nothing, and the number of requests is printed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch import ensure
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.client import SearchClient


class Mortal(SearchClient):
    """A client that dies, right before a request is sent, or after the server has done what it asks for."""

    def __init__(self, url: str, deadly: int, when: str) -> None:
        super().__init__([url])
        self.sent = 0
        self._deadly = deadly
        self._when = when

    def request(self, *arguments: Any, **options: Any) -> Any:
        self.sent += 1
        if self.sent == self._deadly and self._when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = super().request(*arguments, **options)
        if self.sent == self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer


def main(url: str, index: str, mapping: str, deadly: str, when: str) -> None:
    client = Mortal(url, int(deadly), when)
    ensure.carry_out(client, ensure.plan(client, ensure.Wanted(index, json.loads(mapping))), may_copy=True)
    print(client.sent)


if __name__ == "__main__":
    main(*sys.argv[1:])
