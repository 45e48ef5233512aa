# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a module of this collection in this process, as Ansible would run it on a host."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
from typing import Any
from unittest import mock

from ansible.module_utils import _internal
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args


def run_module(name: str, options: dict[str, Any], check_mode: bool = False) -> dict[str, Any]:
    """What the module returns. ``failed`` is always there."""
    module = importlib.import_module(f"ansible_collections.freezer.backup.plugins.modules.{name}")
    arguments = {**options, "_ansible_check_mode": check_mode, "_ansible_diff": True}
    output = io.StringIO()
    # A module has a process of its own: it has no warnings of earlier runs, and no controller that takes them from it.
    as_on_a_host = (
        mock.patch.object(_internal, "is_controller", False),
        mock.patch.object(warnings, "_global_warnings", {}),
        patch_module_args(arguments),
        contextlib.redirect_stdout(output),
        contextlib.suppress(SystemExit),
    )
    with contextlib.ExitStack() as stack:
        for context in as_on_a_host:
            stack.enter_context(context)
        module.main()
    return {"failed": False, **json.loads(output.getvalue())}
