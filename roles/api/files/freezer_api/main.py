# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The command freezer-api."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ansible_collections.freezer.backup.plugins.module_utils._engine.system.errors import HostError
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.streams import (
    give_stdout_up,
    open_standard_streams,
)

from .access.policy import PolicyError
from .access.strategy import AuthError
from .config.settings import ConfigError, read_settings
from .server import logs
from .server.building import check
from .server.process import Server, listen
from .store.errors import StoreError


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the API until SIGTERM or SIGINT; 1 if it cannot be served."""
    open_standard_streams()
    try:
        settings = read_settings(arguments)
        logs.set_up(settings.log_file, debug=settings.debug)
        # Checked here, so that one sentence is printed, and not one by every worker.
        check(settings)
        listener = listen(settings)
    except BrokenPipeError:  # the reader of the help has seen enough
        give_stdout_up()
        return 1
    except OSError as error:
        print(f"freezer-api: the log cannot be written to {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except (ConfigError, AuthError, HostError, PolicyError, StoreError) as error:
        print(f"freezer-api: {error}", file=sys.stderr)
        return 1
    Server(settings, listener).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
