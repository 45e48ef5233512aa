# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What the secure piece needs: an authority of its own, a certificate for loopback, and a user."""

from __future__ import annotations

import subprocess
from pathlib import Path

from distribution import LabError

USER, PASSWORD = "freezer", "freezer-lab"
#: Of a server that only this machine can reach; it is no secret.
PASSWORD_HASH = "$2a$10$9tOAxWQ9TDsTxllBrUc1E.lEQlqKscp3nGysL0RgUS52YyCHEccZC"

_DAYS = "3650"


def make_certificates(folder: Path) -> None:
    """Write ``ca.pem``, ``server.pem`` and ``server.key`` to a folder that has none. Raises LabError."""
    if (folder / "server.pem").is_file():
        return
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", _DAYS)
    _openssl(
        folder,
        *("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Authority of the freezer lab"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )
    _openssl(
        folder,
        *("req", "-x509", *curve, "-keyout", "server.key", "-out", "server.pem", "-subj", "/CN=localhost"),
        *("-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        *("-addext", "basicConstraints=critical,CA:false"),
    )
    (folder / "ca.key").unlink()
    (folder / "server.key").chmod(0o644)


def _openssl(folder: Path, *words: str) -> None:
    try:
        done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    except OSError as error:
        raise LabError(f"openssl cannot be run: {error}; install openssl 3") from error
    if done.returncode:
        raise LabError(f"openssl {words[0]} failed: {done.stderr.strip()[-300:]}")
