# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules for clouds have in common: who asks, one way in and one way out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.connection import Cloud, connect_cloud
from ansible_collections.freezer.backup.plugins.module_utils._module.masking import DiscreetModule, mask
from ansible_collections.freezer.backup.plugins.module_utils._module.registry_options import secret_values

Work = Callable[[Sequence[str], bool], dict[str, Any]]


def cloud_options() -> dict[str, dict[str, Any]]:
    """The argument spec of the connection; the doc fragment C(freezer.backup._cloud) describes it.

    The aliases are what the collection openstack.cloud calls the same options.
    """
    return {
        "cloud": {"type": "raw"},
        "auth_type": {"type": "str"},
        # Its secrets are made known by secret_values: all of its values would blot names and ids out of every result.
        "auth": {"type": "dict", "no_log": False},
        "region_name": {"type": "str"},
        "interface": {"type": "str", "choices": ["public", "internal", "admin"], "aliases": ["endpoint_type"]},
        "ca_file": {"type": "path", "aliases": ["ca_cert", "cacert"]},
        "validate_certs": {"type": "bool", "aliases": ["verify"]},
        "client_cert": {"type": "path", "aliases": ["cert"]},
        "client_key": {"type": "path", "no_log": False, "aliases": ["key"]},
        "timeout_seconds": {"type": "float", "default": 60.0, "aliases": ["api_timeout"]},
        "retries": {"type": "int", "default": 3},
    }


class CloudModule(DiscreetModule):
    """A module that asks a cloud: the connection's options, check mode, and no secret in what it says."""

    def __init__(self, argument_spec: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(argument_spec={**cloud_options(), **argument_spec}, supports_check_mode=True, **kwargs)
        mask(self, secret_values(self.params))

    def run(self, names: Sequence[str], flow: Callable[[Cloud], Mapping[str, Work]]) -> None:
        """Bring several resources into the state of C(state) and return the result of each."""
        try:
            works = flow(connect_cloud(self.params, os.environ))
            result = works[self.params["state"]](names, self.check_mode)
        except FreezerError as problem:
            self.fail_json(msg=str(problem), **getattr(problem, "values", {}))
        lines = [
            {key: one[key] for key in ("server", "volume", "snapshot", "outcome") if key in one}
            for one in result["snapshots"]
            if one["changed"]
        ]
        before: list[Any] = []
        self.exit_json(**result, diff={"before": before, "after": lines})

    def run_info(self, flow: Callable[[Cloud], dict[str, Any]]) -> None:
        """Return what there is to know; nothing is changed."""
        try:
            found = flow(connect_cloud(self.params, os.environ))
        except FreezerError as problem:
            self.fail_json(msg=str(problem))
        self.exit_json(changed=False, **found)
