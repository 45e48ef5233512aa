# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The command freezer-api."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .auth.base import AuthError
from .config import ConfigError, read_settings
from .policy import PolicyError
from .server import Server, listen, make_policy, make_strategy, open_store
from .store.errors import StoreError


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the API until SIGTERM or SIGINT; 1 if it cannot be served."""
    try:
        settings = read_settings(arguments)
        # What cannot work is said here, in one sentence, and not by every worker.
        make_strategy(settings)
        make_policy(settings).check()
        open_store(settings).close()
        listener = listen(settings)
    except (ConfigError, AuthError, PolicyError, StoreError) as error:
        print(f"freezer-api: {error}", file=sys.stderr)
        return 1
    Server(settings, listener).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
