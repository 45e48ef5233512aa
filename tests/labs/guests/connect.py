# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""ssh's ProxyCommand with ProxyUseFdpass: connects, hands the connection to ssh over standard output, and is done.

usage: connect.py ADDRESS PORT
"""

from __future__ import annotations

import array
import socket
import sys


def main(host: str, port: str) -> None:
    """Pass a connection to where the caller wants to go."""
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.setblocking(True)
        with socket.socket(fileno=1) as ssh:
            descriptor = array.array("i", [connection.fileno()])
            ssh.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptor)])
            ssh.detach()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as problem:
        sys.exit(f"connect.py: {problem}")
