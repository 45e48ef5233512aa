# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Schedulers on several nodes with a clock that is moved by hand, around the real API in this process.

What is not real here: the clock, the processes of agents (they only take time), the network (it is there or not), and
the threads. Scheduler, journal, conversation, API and its store are the real ones.
"""

from __future__ import annotations

import json
import random
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Any

import falcon.testing

from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import Registry
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.errors import (
    RestError,
    Unreachable,
    error_from,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.repeating import Answer
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.runs import FAIL, SUCCESS, Outcome
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.noauth import NoAuth
from ansible_collections.freezer.backup.roles.api.files.freezer_api.http.app import create_app
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.base import Scope
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.sqlite.store import SqliteStore
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.api.conversation import Conversation
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.journal import Journal
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.runs import Run
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.scheduler import Core
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.surroundings import (
    Join,
    Limits,
    Started,
)
from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.process.service import take_whereabouts

PROJECT = "world"


class Crash(BaseException):
    """The scheduler dies here."""


class Wire:
    """What stands in for the connection of a node: the API in this process, if it can be reached."""

    url = "http://in.this.process"

    def __init__(self, world: World, node: Node | None) -> None:
        self._world = world
        self._node = node

    def request(
        self,
        method: str,
        path: str,
        document: Any = None,
        repeatable: bool = True,
        if_match: str | None = None,
        lines: Any = None,
        if_none_match: str | None = None,
    ) -> Answer:
        if not self._world.api_is_up or (self._node is not None and self._node.is_cut_off):
            raise Unreachable("The API cannot be reached.")
        # An answer may be lost when the request has already been acted on.
        reply = self._world.ask(method, path, document, if_match, if_none_match)
        if self._world.chance.random() < self._world.lost_answers:
            raise Unreachable("The answer was lost.")
        return reply

    def close(self) -> None:
        pass


@dataclass
class Process:
    """An agent: it takes time, and comes to something."""

    run_id: str
    mark: str
    job_id: str
    due: float
    started: float
    ends: float
    outcome: Outcome
    #: What it was asked to do.
    what: Mapping[str, Any] = field(default_factory=dict)
    aborted: bool = False


class Agents:
    """The agents of a node. They go on when the scheduler dies, and end with the node."""

    def __init__(self, world: World, node: Node) -> None:
        self._world = world
        self._node = node
        self.running: dict[str, Process] = {}
        self.left: dict[str, Outcome] = {}
        self.crash_at_start = False

    def start(self, run: Run, what: Mapping[str, Any]) -> Started:
        now = self._node.now
        outcome = self._world.outcome(run, what)
        mark = f"{run.run_id}-{run.index}-{run.attempt}"
        ends = now + float(what.get("seconds", 30))
        process = Process(run.run_id, mark, run.job_id, run.due, now, ends, outcome, what)
        assert not any(one.job_id == run.job_id for one in self.running.values()), f"{run.job_id} runs twice at once"
        self.running[mark] = process
        self._world.started.append(process)
        if self.crash_at_start:
            self.crash_at_start = False
            raise Crash
        return Started(self._world.next_pid(), "a")

    def adopt(self, run: Run) -> bool:
        mark = f"{run.run_id}-{run.index}-{run.attempt}"
        return mark in self.running

    def leftover(self, run: Run) -> Outcome:
        mark = f"{run.run_id}-{run.index}-{run.attempt}"
        return self.left.pop(mark, None) or Outcome(FAIL, "the agent ended without a result.")

    def abort(self, run: Run) -> None:
        for process in self.running.values():
            if process.run_id == run.run_id and not process.aborted:
                process.aborted = True
                process.ends = min(process.ends, self._node.now + 2)
                process.outcome = Outcome(FAIL, "Ended by SIGTERM.")

    def ended(self) -> list[tuple[str, Outcome]]:
        self.pass_time()
        found = []
        for mark, outcome in list(self.left.items()):
            run_id = mark.split("-")[0]
            if any(run.run_id == run_id for run in self._node.core.active_runs):
                found.append((run_id, outcome))
                del self.left[mark]
        return found

    def pass_time(self) -> None:
        for mark, process in list(self.running.items()):
            if process.ends <= self._node.now:
                del self.running[mark]
                if not process.aborted:
                    self._world.finish(process)
                self.left[mark] = process.outcome

    def progress(self, run: Run) -> dict[str, Any] | None:
        return None

    def forget(self, run: Run) -> None:
        for mark in [one for one in self.left if one.startswith(run.run_id)]:
            del self.left[mark]


@dataclass
class Node:
    """A host: its clock may be wrong, its scheduler may be dead."""

    world: World
    name: str
    folder: Path
    zone: tzinfo
    limits: Limits
    poll_seconds: float = 60.0
    skew: float = 0.0
    is_cut_off: bool = False
    core: Core = field(init=False)
    conversation: Conversation = field(init=False)
    agents: Agents = field(init=False)
    is_up: bool = field(init=False, default=False)
    questions: list[Join] = field(init=False, default_factory=list)
    poll_at: float = field(init=False, default=0.0)
    deliver_at: float = field(init=False, default=0.0)
    wake: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.agents = Agents(self.world, self)
        self.boot()

    @property
    def now(self) -> float:
        """The time on its clock."""
        return self.world.now + self.skew

    def boot(self) -> None:
        """Start the scheduler."""
        self.agents.pass_time()
        self.questions = []
        journal = Journal(self.folder / "scheduler.db")
        # As fast as memory: what a power cut would do is no subject here.
        journal._db.execute("PRAGMA synchronous=OFF")
        self.conversation = Conversation(
            lambda: Registry(Wire(self.world, self), PROJECT), journal, self.name, {"hostname": self.name}
        )
        self.core = Core(journal, self.agents, self.limits, self.zone, self.name, self.questions.append)
        self.is_up = True
        self.core.recover(self.now)
        self.poll_at = self.deliver_at = self.wake = self.world.now

    def crash(self) -> None:
        """The scheduler is killed: what was not committed is gone."""
        self.is_up = False
        self.core.journal.close()

    def lose_power(self) -> None:
        """Everything on the node dies."""
        self.crash()
        self.agents.running.clear()

    def step(self) -> None:
        """Do all that there is to do now."""
        now = self.now
        if self.world.now >= self.poll_at:
            self._talk(now)
            self.poll_at = self.world.now + self.poll_seconds * self.world.chance.uniform(0.9, 1.1)
        wake = self.core.tick(now)
        while self.questions:
            answers = [self.conversation.join(question) for question in self.questions]
            self.questions.clear()
            for answer in answers:
                self.core.joined(answer, now)
            wake = self.core.tick(now)
        if self.world.now >= self.deliver_at and self.core.journal.waiting_reports(1):
            try:
                self.conversation.deliver()
            except RestError:
                self.deliver_at = self.world.now + 30
        ends = [process.ends - self.skew for process in self.agents.running.values()]
        moments = [self.poll_at, *ends] + ([wake - self.skew] if wake is not None else [])
        self.wake = max(min(moments), self.world.now + 0.001)

    def _talk(self, now: float) -> None:
        try:
            self.conversation.deliver()
            pages = self.conversation.jobs()
            if pages is not None:
                seen = set()
                for page in pages:
                    seen.update(str(job.get("job_id")) for job, _tag in page)
                    self.core.saw(page, now)
                for job_id in self.core.saw_all(seen):
                    take_whereabouts(self.core, job_id, self.conversation.whereabouts(job_id), now)
            if any(entry.session_id for entry in self.core.entries.values()):
                for session in self.conversation.sessions():
                    self.core.saw_session(session, now)
        except RestError:
            self.conversation.forget_tags()


class World:
    """The API, the nodes, and the time. ``outcome`` decides what comes of an action."""

    def __init__(self, folder: Path, start: float, seed: int = 1) -> None:
        self.now = start
        self.chance = random.Random(seed)
        self.api_is_up = True
        self.lost_answers = 0.0
        self.nodes: dict[str, Node] = {}
        self.started: list[Process] = []
        #: What the storage holds: of each name the backups, their ids with the time of each.
        self.stored: dict[str, dict[str, float]] = {}
        self.outcome: Callable[[Run, Mapping[str, Any]], Outcome] = self._outcome
        self._folder = folder
        self._pid = 1000
        self.store = SqliteStore(folder / "api.db")
        # As the journals of the nodes are.
        self.store._connection().execute("PRAGMA synchronous=OFF")
        self._client = falcon.testing.TestClient(create_app(self.store, NoAuth(), clock=lambda: self.now))

    def node(self, name: str, zone: tzinfo, limits: Limits | None = None, **options: Any) -> Node:
        """A node with a scheduler."""
        folder = self._folder / name
        shutil.rmtree(folder, ignore_errors=True)
        self.nodes[name] = Node(self, name, folder, zone, limits or Limits(concurrent_jobs=50), **options)
        return self.nodes[name]

    def run_until(self, moment: float) -> None:
        """Let time pass, from one thing that happens to the next."""
        while True:
            waiting = [node for node in self.nodes.values() if node.is_up]
            first = min(waiting, key=lambda node: node.wake, default=None)
            if first is None or first.wake > moment:
                self.now = max(self.now, moment)
                return
            self.now = max(self.now, first.wake)
            try:
                first.step()
            except Crash:
                first.crash()

    def ask(
        self,
        method: str,
        path: str,
        document: Any = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> Answer:
        """A request to the API; raises RestError as a connection does."""
        headers = {"Accept": "application/json"}
        if if_match:
            headers["If-Match"] = if_match
        if if_none_match:
            headers["If-None-Match"] = if_none_match
        route, _mark, query = path.partition("?")
        body = None if document is None else json.dumps(document)
        result = self._client.simulate_request(method, route, query_string=query, body=body, headers=headers)
        parsed = json.loads(result.content) if result.content else None
        if 200 <= result.status_code < 300 or result.status_code == 304:
            return Answer(result.status_code, parsed, {name.lower(): text for name, text in result.headers.items()})
        raise error_from(f"{method} {path}", result.status_code, parsed, "The Freezer API")

    def create(self, plural: str, document: Mapping[str, Any]) -> None:
        """Store a document."""
        self.ask("POST", f"/v2/{PROJECT}/{plural}", dict(document))

    def create_unchecked(self, job: Mapping[str, Any]) -> None:
        """Store a job as an API does that looks at no schedules."""
        self.create("jobs", {**job, "job_schedule": {}})
        stored = self.store.get("job", job["job_id"], Scope(project_id=PROJECT))
        assert stored is not None
        schedule = {**stored.document["job_schedule"], **job["job_schedule"]}
        self.store.replace(stored, {**stored.document, "job_schedule": schedule})

    def get(self, plural: str, document_id: str) -> dict[str, Any]:
        """A document."""
        found: dict[str, Any] = self.ask("GET", f"/v2/{PROJECT}/{plural}/{document_id}").document
        return found

    def all(self, plural: str) -> list[dict[str, Any]]:
        """All documents of a kind."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.ask("GET", f"/v2/{PROJECT}/{plural}?limit=1000&offset={len(found)}").document[plural]
            found += page
            if len(page) < 1000:
                return found

    def event(self, job_id: str, event: str) -> None:
        """Ask for something of a job."""
        self.ask("POST", f"/v2/{PROJECT}/jobs/{job_id}/event", {event: None})

    def next_pid(self) -> int:
        """A process id that was not used before."""
        self._pid += 1
        return self._pid

    def finish(self, process: Process) -> None:
        """An agent comes to its end: its backup is there now, or the old ones that it removes are gone."""
        if process.outcome.result != SUCCESS:
            return
        metadata = process.outcome.document.get("metadata")
        if metadata:
            self.stored.setdefault(metadata["backup_name"], {})[metadata["backup_id"]] = metadata["time_stamp"]
        elif process.what.get("action") == "admin":
            stored = self.stored.get(process.what["backup_name"], {})
            oldest = min(self.now - process.what["remove_older_than"] * 86400, max(stored.values(), default=0))
            removed = [backup_id for backup_id, at in stored.items() if at < oldest]
            for backup_id in removed:
                del stored[backup_id]
            document = {
                "outcome": "success",
                "changed": bool(removed),
                "removed": [{"backup_id": backup_id} for backup_id in removed],
                "kept": [{"backup_id": backup_id} for backup_id in stored],
            }
            process.outcome = Outcome(SUCCESS, "", document)

    def _outcome(self, run: Run, what: Mapping[str, Any]) -> Outcome:
        if self.chance.random() < float(what.get("fails", 0)):
            return Outcome(FAIL, "it failed.")
        if what.get("action") != "backup":
            return Outcome(SUCCESS, "", {"changed": True, "outcome": "success"})
        backup_id = uuid.UUID(int=self.chance.getrandbits(128)).hex
        metadata = {
            "backup_id": backup_id,
            "container": "c",
            "hostname": "h",
            "backup_name": run.job_id,
            "time_stamp": int(self.now),
        }
        return Outcome(SUCCESS, "", {"changed": True, "outcome": "success", "metadata": metadata})


def job(
    job_id: str, client_id: str, actions: int = 1, schedule: Mapping[str, Any] | None = None, **what: Any
) -> dict[str, Any]:
    """A job of backups that take ``seconds`` and fail with the probability ``fails``."""
    action = {
        "freezer_action": {"action": "backup", "path_to_backup": "/", "backup_name": job_id, "storage": "local", **what}
    }
    return {
        "job_id": job_id,
        "client_id": client_id,
        "job_actions": [dict(action) for _number in range(actions)],
        "job_schedule": dict(schedule or {}),
    }
