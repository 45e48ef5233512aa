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
from ansible.module_utils.common import parameters, warnings
from ansible.module_utils.testing import patch_module_args

#: What stands where a secret was: the module's own word, or the controller's from ansible-core 2.22 on.
MASKS = ("********", "$REDACTED$")


def run_module(name: str, options: dict[str, Any], check_mode: bool = False) -> dict[str, Any]:
    """What the module returns. ``failed`` and, whatever the release of ansible-core, ``invocation`` are always there."""
    module = importlib.import_module(f"ansible_collections.freezer.backup.plugins.modules.{name}")
    arguments = {**options, "_ansible_check_mode": check_mode, "_ansible_diff": True}
    if "inject_invocation" in parameters.PASS_VARS:
        # From ansible-core 2.21 on a module repeats its options only where it is asked to.
        arguments["_ansible_inject_invocation"] = True
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
    result = json.loads(output.getvalue())
    # From ansible-core 2.22 on a module returns its secrets beside the rest, and the controller blots them out.
    shown = json.dumps({key: value for key, value in result.items() if key != "_ansible_new_secrets"})
    for secret in result.get("_ansible_new_secrets", ()):
        shown = shown.replace(json.dumps(secret)[1:-1], MASKS[1])
    return {"failed": False, **json.loads(shown)}
