# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a MongoDB server, which cannot be installed here: the wire protocol, the lock, and nothing else.

It answers OP_MSG and the greeting in OP_QUERY. What it does at `fsync` and `fsyncUnlock` is what MongoDB's manual says:
locks are counted, and stay when the connection that took them is gone.
"""

from __future__ import annotations

import socketserver
import struct
import threading
from typing import Any

import bson

_OP_REPLY, _OP_QUERY, _OP_MSG = 1, 2004, 2013


class MongoDbStandIn(socketserver.ThreadingTCPServer):
    """Listens on a port of its own until it is closed."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.locks = 0
        #: The server answers `fsync` with this error, without locking.
        self.refusal: dict[str, Any] | None = None
        #: While it is not set, `fsync` gets no answer, but locks.
        self.answers = threading.Event()
        self.answers.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        name = next(iter(command))
        if name.lower() in ("hello", "ismaster"):
            return {
                "isWritablePrimary": True,
                "ismaster": True,
                "maxBsonObjectSize": 16777216,
                "maxMessageSizeBytes": 48000000,
                "maxWriteBatchSize": 100000,
                "minWireVersion": 0,
                "maxWireVersion": 21,
                "ok": 1.0,
            }
        if name.lower() == "buildinfo":
            return {"version": "7.0.0", "versionArray": [7, 0, 0, 0], "ok": 1.0}
        if name == "fsync":
            if self.refusal:
                return self.refusal
            self.locks += 1
            self.answers.wait()
            return {"info": "now locked against writes", "lockCount": self.locks, "ok": 1.0}
        if name == "fsyncUnlock":
            if not self.locks:
                return {
                    "ok": 0.0,
                    "errmsg": "fsyncUnlock called when not locked",
                    "code": 20,
                    "codeName": "IllegalOperation",
                }
            self.locks -= 1
            return {"info": "fsyncUnlock completed", "lockCount": self.locks, "ok": 1.0}
        if name in ("ping", "endSessions"):
            return {"ok": 1.0}
        return {"ok": 0.0, "errmsg": f"no such command: '{name}'", "code": 59, "codeName": "CommandNotFound"}


class _Connection(socketserver.StreamRequestHandler):
    server: MongoDbStandIn

    def handle(self) -> None:
        while header := self.rfile.read(16):
            length, request, _to, code = struct.unpack("<iiii", header)
            body = self.rfile.read(length - 16)
            if code == _OP_MSG:
                reply = struct.pack("<iB", 0, 0) + bson.encode(self.server.answer(bson.decode(body[5:])))
                kind = _OP_MSG
            elif code == _OP_QUERY:
                document = body[body.index(b"\0", 4) + 9 :]
                reply = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(self.server.answer(bson.decode(document)))
                kind = _OP_REPLY
            else:
                return
            try:
                self.wfile.write(struct.pack("<iiii", len(reply) + 16, 0, request, kind) + reply)
            except OSError:
                return
