# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules for Elasticsearch have in common: the options of the connection, one way in and one way out."""

from __future__ import annotations

import signal
from typing import Any, Callable, NoReturn

from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.client import SearchClient
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.flow import Result
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.connection import Tls
from ansible_collections.freezer.backup.plugins.module_utils._module.masking import DiscreetModule


def search_options() -> dict[str, dict[str, Any]]:
    """The argument spec of the connection; the doc fragment C(freezer.backup._elasticsearch) describes it."""
    return {
        "url": {"type": "list", "elements": "str", "required": True},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "api_key": {"type": "str", "no_log": True},
        "ca_file": {"type": "path"},
        "validate_certs": {"type": "bool", "default": True},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path", "no_log": False},
        "timeout_seconds": {"type": "float", "default": 30.0},
        "retries": {"type": "int", "default": 3},
    }


class SearchModule(DiscreetModule):
    """A module that speaks to Elasticsearch or OpenSearch."""

    def __init__(self, argument_spec: dict[str, Any], **kwargs: Any) -> None:
        kwargs.setdefault("required_together", []).append(("username", "password"))
        kwargs.setdefault("mutually_exclusive", []).append(("username", "api_key"))
        super().__init__(argument_spec={**search_options(), **argument_spec}, supports_check_mode=True, **kwargs)

    def run(self, flow: Callable[[SearchClient, bool], Result]) -> NoReturn:
        """Run a flow that changes something, which gets the client and whether it shall only look."""
        result = self.ask(lambda client: flow(client, self.check_mode))
        for warning in result.warnings:
            self.warn(warning)
        diff = {"before": result.before, "after": result.after}
        self.exit_json(changed=result.changed, diff=diff, indices=result.indices)

    def ask(self, flow: Callable[[SearchClient], Any]) -> Any:
        """Run a flow, and turn what it raises into the one sentence that the user reads.

        A lost connection or a cancelled task ends it as an error does: a copy that is under way is taken back.
        """
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _end_by_signal)
        params = self.params
        try:
            client = SearchClient(
                params["url"],
                params["username"],
                params["password"],
                params["api_key"],
                Tls(params["ca_file"], params["validate_certs"], params["client_cert"], params["client_key"]),
                params["timeout_seconds"],
                params["retries"],
            )
            try:
                return flow(client)
            finally:
                client.close()
        except FreezerError as error:
            self.fail_json(msg=str(error).rstrip(".") + ".", **getattr(error, "values", {}))


def _end_by_signal(number: int, _frame: Any) -> None:
    raise SystemExit(128 + number)
