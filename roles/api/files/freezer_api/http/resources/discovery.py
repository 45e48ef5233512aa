# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The routes without authentication: versions, JSON home, health and contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import falcon

from ...domain.kinds.all import RULES
from ...errors import UnavailableError
from ...store.base import Store
from ..contract import document
from .base import Readable, write_json

_JSON_HOME = "application/json-home"
_UPDATED = "2018-02-21T13:30:00"


class Versions(Readable):
    """``/``: the versions of the API."""

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """List them; a client has to choose one."""
        versions = (("v2", "CURRENT"), ("v1", "SUPPORTED"))
        response.status = falcon.HTTP_300
        write_json(
            response,
            {
                "versions": [
                    {
                        "id": name,
                        "status": status,
                        "updated": _UPDATED,
                        "links": [{"href": f"{request.prefix}/{name}/", "rel": "self"}],
                    }
                    for name, status in versions
                ]
            },
        )


class Home(Readable):
    """``/v1`` and ``/v2``: a JSON home document."""

    def __init__(self, version: int) -> None:
        self._resources: dict[str, Any] = {}
        base = "/v1" if version == 1 else "/v2/{project_id}"
        project = {} if version == 1 else {"project_id": "param/project_id"}
        for plural, rules in RULES.items():
            one = {
                "href-template": f"{base}/{plural}/{{{rules.kind.id_key}}}",
                "href-vars": {**project, rules.kind.id_key: f"param/{rules.kind.id_key}"},
                "hints": _hints("GET", "PATCH", "POST", "DELETE"),
            }
            many = {
                "href-template": f"{base}/{plural}{{?all_projects,offset,limit,search}}",
                "href-vars": {
                    **project,
                    **{name: f"param/{name}" for name in ("all_projects", "offset", "limit", "search")},
                },
                "hints": _hints("GET", "POST"),
            }
            # In freezer-api rel/backups is one backup.
            self._resources[f"rel/{rules.kind.name}"] = one
            self._resources[f"rel/{plural}_batch"] = {
                "href-template": f"{base}/{plural}:batch",
                "href-vars": project,
                "hints": _hints("POST"),
            }
            self._resources[f"rel/{plural}"] = one if plural == "backups" else many
        job, session = ({f"{kind}_id": f"param/{kind}_id"} for kind in ("job", "session"))
        for name, path, variables, hints in (
            ("job_event", "jobs/{job_id}/event", job, _hints("POST")),
            ("session_action", "sessions/{session_id}/action", session, _hints("POST")),
            ("session_job", "sessions/{session_id}/jobs/{job_id}", {**session, **job}, _hints("PUT", "DELETE")),
        ):
            self._resources[f"rel/{name}"] = {
                "href-template": f"{base}/{path}",
                "href-vars": {**project, **variables},
                "hints": hints,
            }

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Show the resources."""
        write_json(response, {"resources": self._resources})
        response.content_type = _JSON_HOME


class Health(Readable):
    """``/healthcheck``: whether the API can serve requests."""

    def __init__(self, store: Store, disable_by_file: Path | None = None) -> None:
        self._store = store
        self._disable_by_file = disable_by_file

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Answer OK if the store can be read, and the file that disables the API does not exist."""
        if self._disable_by_file is not None and self._disable_by_file.exists():
            raise UnavailableError("The API is disabled by disable_by_file_path; send requests to another server")
        self._store.check()
        response.content_type = falcon.MEDIA_TEXT
        response.text = "OK"


class Contract(Readable):
    """``/openapi.json``: the contract for programs."""

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Show it."""
        response.content_type = falcon.MEDIA_JSON
        response.text = document.text()


def _hints(*verbs: str) -> dict[str, Any]:
    return {"allow": list(verbs), "formats": {"application/json": {}}}
