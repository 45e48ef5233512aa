# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The options of the agent's file (``--config``) for ``oslo-config-generator --namespace freezer``.

The agent itself reads its file without oslo.config.
"""

from __future__ import annotations

from oslo_config import cfg

from .flags import COMMAND_LINE_KEYS, about, flags


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """What can stand in the section [DEFAULT] of the file."""
    return [
        (
            "DEFAULT",
            [
                cfg.StrOpt(flag.name, help=about(flag)) if flag.metavar else cfg.BoolOpt(flag.name, help=about(flag))
                for flag in flags()
                if flag.name not in COMMAND_LINE_KEYS
            ],
        )
    ]
