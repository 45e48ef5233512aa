# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Writers who know what the API has acknowledged, and a reader who checks that it is there and whole."""

from __future__ import annotations

import http.client
import random
import threading
import time


def a_job(state):
    """A job that says in four places, two of them documents of their own, in which state it is."""
    actions = [{"freezer_action": {"action": "backup", "path_to_backup": f"{state}"}} for _number in range(2)]
    return {"client_id": "node", "description": f"{state}", "job_actions": actions}


class Writer(threading.Thread):
    """Writes its own jobs one after the other, and keeps in mind what was acknowledged and what was not."""

    def __init__(self, api, name, known, seed):
        super().__init__()
        self._api = api
        self._name = name
        self._chance = random.Random(seed)
        #: For each job the states that it can be in; None is that it is not there.
        self.known = known
        self.acknowledged = 0
        #: Answers that say that nothing can be written now, and when to ask again.
        self.put_off = 0
        self.stopped = threading.Event()
        self.unexpected = []

    def run(self):
        try:
            while not self.stopped.is_set():
                self._write()
        except (OSError, http.client.HTTPException):
            # Killed.
            return

    def _expect(self, statuses, answered):
        if not answered <= statuses:
            self.unexpected.append(answered)

    def _is_put_off(self, reply):
        """Whether it is not known what came of a write."""
        if reply.status != 503:
            return False
        self.put_off += 1
        if not reply.headers.get("retry-after", "").isdigit():
            self.unexpected.append("503 without Retry-After")
        self.stopped.wait(0.2)
        return True

    def _write(self):
        count = self._chance.choice([1, 1, 1, 30])
        wanted = {
            f"{self._name}-{self._chance.randrange(60)}": self._chance.randrange(10**9) for _number in range(count)
        }
        gone = {job_id for job_id in wanted if self._chance.random() < 0.2}
        wanted.update(dict.fromkeys(gone))
        for job_id, state in wanted.items():
            self.known[job_id] = {*self.known.get(job_id, {None}), state}
        if count == 1:
            ((job_id, state),) = wanted.items()
            path = f"/v2/web/jobs/{job_id}"
            reply = self._api.delete(path) if state is None else self._api.post(path, a_job(state))
            if self._is_put_off(reply):
                return
            self._expect({201, 204, 404}, {reply.status})
        else:
            items = [
                {"op": "delete", "job_id": job_id}
                if state is None
                else {"op": "replace", "job_id": job_id, "document": a_job(state)}
                for job_id, state in wanted.items()
            ]
            reply = self._api.post("/v2/web/jobs:batch", {"items": items})
            if self._is_put_off(reply) or any(item["status"] == 503 for item in reply.json["items"]):
                return
            self._expect({200, 201, 204, 404}, {item["status"] for item in reply.json["items"]})
        for job_id, state in wanted.items():
            self.known[job_id] = {state}
        self.acknowledged += len(wanted)


def everything(api, plural):
    found = []
    while True:
        page = api.get(f"/v2/web/{plural}?limit=1000&offset={len(found)}").json[plural]
        if not page:
            return found
        found += page


def check(api, known):
    """Every job is as it was acknowledged or, if it was being written, as it was before or after; none is half there."""
    jobs = {job["job_id"]: job for job in everything(api, "jobs")}
    actions = {action["action_id"]: action for action in everything(api, "actions")}
    for job_id, states in known.items():
        job = jobs.get(job_id)
        state = None if job is None else int(job["description"])
        assert state in states, job_id
        # From now on this is the state.
        known[job_id] = {state}
    for job in jobs.values():
        for element in job["job_actions"]:
            own = actions.pop(element["action_id"])
            assert own["job_id"] == job["job_id"]
            assert element["freezer_action"] == own["freezer_action"]
            assert element["freezer_action"]["path_to_backup"] == job["description"]
    assert actions == {}


def wait_until_acknowledged(writers, number, patience_seconds=120):
    """Wait until the writers together have that many writes acknowledged; AssertionError where that does not happen."""
    give_up_at = time.monotonic() + patience_seconds
    while sum(writer.acknowledged for writer in writers) < number:
        assert time.monotonic() < give_up_at, f"{number} writes were not acknowledged in {patience_seconds} seconds"
        assert any(writer.is_alive() for writer in writers), "no writer is left"
        time.sleep(0.01)
