# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What every store has to do. A test module for a store takes these tests over and gives them a fixture ``store``."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.base import (
    ALL_OWNERS,
    Create,
    Delete,
    Discard,
    Owner,
    Put,
    Replace,
    Scope,
)
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.errors import (
    ConflictError,
    DocumentTooLargeError,
)
from ansible_collections.freezer.backup.roles.api.files.freezer_api.store.query import (
    AnyValueContains,
    FieldMatches,
    Query,
)

ALICE = Owner("alice", "p1")
BOB = Owner("bob", "p2")
P1 = Scope(project_id="p1")
P2 = Scope(project_id="p2")


def a_job(job_id="j", client_id="db1", **keys):
    return {"job_id": job_id, "client_id": client_id, "job_schedule": {}, "job_actions": [], **keys}


def ids(found):
    return [stored.id for stored in found]


class StoreContract:
    """Tests of a fixture ``store``, which is empty for each of them."""

    def test_a_document_comes_back_as_it_was_stored(self, store):
        document = a_job(
            description='Ünïcode \u2603 \U0001f600 "quotes" \\ \n', empty={}, none=None, numbers=[1, 1.5, True]
        )
        assert store.create("job", "j", ALICE, document) == 1
        stored = store.get("job", "j", P1)
        assert stored.document == document
        assert list(stored.document) == list(document)
        assert (stored.id, stored.kind, stored.owner, stored.version) == ("j", "job", ALICE, 1)

    def test_numbers_at_the_ends_of_64_bits_come_back(self, store):
        document = a_job(big=2**63 - 1, small=-(2**63), float=1e308)
        store.create("job", "j", ALICE, document)
        assert store.get("job", "j", P1).document == document

    def test_a_document_of_another_kind_project_or_user_is_not_there(self, store):
        store.create("job", "j", ALICE, a_job())
        assert store.get("action", "j", P1) is None
        assert store.get("job", "j", P2) is None
        assert store.get("job", "j", Scope(user_id="bob")) is None
        assert store.get("job", "j", Scope(user_id="alice")) is not None
        assert store.get("job", "j", ALL_OWNERS) is not None

    def test_two_projects_can_use_one_id(self, store):
        store.create("job", "j", ALICE, a_job(description="one"))
        store.create("job", "j", BOB, a_job(description="two"))
        assert store.get("job", "j", P1).document["description"] == "one"
        assert store.get("job", "j", P2).document["description"] == "two"

    def test_of_one_users_documents_with_one_id_the_home_project_decides(self, store):
        for project in ("p1", "p2"):
            store.create("job", "j", Owner("alice", project), a_job(description=project))
        for project in ("p1", "p2"):
            stored = store.get("job", "j", Scope(user_id="alice", home_project_id=project))
            assert stored.document["description"] == project

    def test_of_a_project_a_client_sees_itself_its_jobs_their_sessions_and_its_backups(self, store):
        own, carol = Scope(project_id="p1", client_id="db1"), Owner("carol", "p1")
        for client in ("db1", "db2", "db1.more"):
            store.create("client", client, carol, {"client": {"client_id": client}})
            store.create("job", f"of-{client}", ALICE, a_job(f"of-{client}", client, session_id=f"s-{client}"))
            store.create("session", f"s-{client}", ALICE, {"session_id": f"s-{client}", "jobs": {}})
            metadata = {"client_id": client, "hostname": "db1"}
            store.create("backup", f"b-{client}", ALICE, {"backup_id": f"b-{client}", "backup_metadata": metadata})
            store.create("action", f"a-{client}", ALICE, {"action_id": f"a-{client}", "client_id": client})
        store.create("job", "alone", ALICE, a_job("alone", session_id=""))
        store.create("job", "of-others", BOB, a_job("of-others"))
        store.create("backup", "nameless", ALICE, {"backup_id": "nameless", "backup_metadata": {"hostname": "db1"}})
        expected = {
            "client": ["db1"],
            "job": ["of-db1", "alone"],
            "session": ["s-db1"],
            "backup": ["b-db1"],
            "action": [],
        }
        for kind, wanted in expected.items():
            assert ids(store.search(kind, own)) == wanted
            everything = ids(store.search(kind, P1, limit=100))
            assert [name for name in everything if store.get(kind, name, own) is not None] == wanted
        assert ids(store.search("job", own, limit=1, offset=1)) == ["alone"]
        assert store.search("session", own, Query(match=(FieldMatches(("session_id",), "s-db2"),))) == []

    def test_the_state_of_a_client_changes_with_its_own_documents_only(self, store):
        own = Scope(project_id="p1", client_id="db1")
        states = [store.state("job", own)]
        store.create("job", "theirs", ALICE, a_job("theirs", "db2"))
        assert store.state("job", own) == states[0]
        for write in (
            lambda: store.create("job", "a", ALICE, a_job("a")),
            lambda: store.replace(store.get("job", "a", P1), a_job("a", n=1)),
            lambda: store.replace(store.get("job", "theirs", P1), a_job("theirs")),
            lambda: store.replace(store.get("job", "a", P1), a_job("a", "db2")),
            lambda: store.create("job", "b", ALICE, a_job("b")),
            lambda: store.delete(store.get("job", "b", P1)),
        ):
            write()
            states.append(store.state("job", own))
        assert all(earlier != later for earlier, later in itertools.pairwise(states))
        store.replace(store.get("job", "a", P1), a_job("a", "db2", n=2))
        assert store.state("job", own) == states[-1]

    def test_an_id_is_created_once(self, store):
        store.create("job", "j", ALICE, a_job(description="first"))
        with pytest.raises(ConflictError) as caught:
            store.create("job", "j", Owner("carol", "p1"), a_job(description="second"))
        assert (caught.value.kind, caught.value.document_id, caught.value.reason) == ("job", "j", "exists")
        assert store.get("job", "j", P1).document["description"] == "first"

    def test_a_replacement_raises_the_version(self, store):
        store.create("job", "j", ALICE, a_job())
        assert store.replace(store.get("job", "j", P1), a_job(description="new")) == 2
        stored = store.get("job", "j", P1)
        assert stored.version == 2
        assert stored.document["description"] == "new"

    def test_a_replacement_of_an_earlier_state_is_refused(self, store):
        store.create("job", "j", ALICE, a_job())
        seen = store.get("job", "j", P1)
        store.replace(seen, a_job(description="first"))
        with pytest.raises(ConflictError) as caught:
            store.replace(seen, a_job(description="second"))
        assert caught.value.reason == "changed"
        assert store.get("job", "j", P1).document["description"] == "first"

    def test_a_state_from_before_a_deletion_is_not_the_state_of_its_successor(self, store):
        store.create("job", "j", ALICE, a_job())
        seen = store.get("job", "j", P1)
        store.delete(seen)
        store.create("job", "j", ALICE, a_job(description="successor"))
        assert store.get("job", "j", P1).revision != seen.revision
        with pytest.raises(ConflictError):
            store.replace(seen, a_job())
        with pytest.raises(ConflictError):
            store.delete(seen)

    def test_a_deleted_document_is_gone(self, store):
        store.create("job", "j", ALICE, a_job())
        store.delete(store.get("job", "j", P1))
        assert store.get("job", "j", P1) is None
        assert store.search("job", P1) == []

    def test_put_creates_and_replaces_and_discard_does_not_mind(self, store):
        assert store.apply([Put("action", "a", ALICE, {"n": 1})]) == [1]
        assert store.apply([Put("action", "a", ALICE, {"n": 2})]) == [2]
        assert store.get("action", "a", P1).document == {"n": 2}
        assert store.apply([Discard("action", "a", "p1"), Discard("action", "a", "p1")]) == [0, 0]
        assert store.get("action", "a", P1) is None

    def test_discard_does_not_reach_into_another_project(self, store):
        store.create("action", "a", BOB, {})
        store.apply([Discard("action", "a", "p1")])
        assert store.get("action", "a", P2) is not None

    def test_of_several_changes_all_are_made_or_none(self, store):
        store.create("job", "taken", ALICE, a_job("taken"))
        old = store.get("job", "taken", P1)
        with pytest.raises(ConflictError):
            store.apply(
                [Create("action", "a", ALICE, {}), Replace(old, a_job("taken", n=1)), Create("job", "taken", ALICE, {})]
            )
        assert store.get("action", "a", P1) is None
        assert store.get("job", "taken", P1).version == 1
        assert store.apply([Create("action", "a", ALICE, {}), Delete(old)]) == [1, 0]
        assert store.counts() == {"action": 1}

    def test_of_several_groups_of_changes_each_is_made_or_not_whatever_comes_of_the_others(self, store):
        store.create("job", "taken", ALICE, a_job("taken"))
        old = store.get("job", "taken", P1)
        store.replace(old, a_job("taken", n=1))
        done = store.apply_each(
            [
                [Create("job", "new", ALICE, a_job("new")), Put("action", "a", ALICE, {})],
                [Put("action", "half", ALICE, {}), Create("job", "taken", ALICE, a_job("taken"))],
                [Replace(old, a_job("taken", n=2))],
                [Put("action", "half", ALICE, {}), Create("job", "big", ALICE, a_job("big", n="x" * 3_000_000))],
                [Replace(store.get("job", "taken", P1), a_job("taken", n=3))],
            ]
        )
        assert done[0] == [1, 1]
        assert (done[1].kind, done[1].document_id, done[1].reason) == ("job", "taken", "exists")
        assert isinstance(done[2], ConflictError)
        assert isinstance(done[3], DocumentTooLargeError)
        assert done[4] == [3]
        assert store.get("action", "half", P1) is None
        assert store.get("job", "taken", P1).document["n"] == 3
        assert store.apply_each([]) == []

    def test_a_document_that_is_too_large_is_refused(self, store):
        with pytest.raises(DocumentTooLargeError, match="bytes"):
            store.create("job", "j", ALICE, a_job(description="x" * 3_000_000))
        assert store.get("job", "j", P1) is None

    def test_pages_are_in_the_order_of_creation_and_stay_so_when_documents_change(self, store):
        for number in range(25):
            store.create("job", f"j{number}", ALICE, a_job(f"j{number}"))
        store.replace(store.get("job", "j3", P1), a_job("j3", n=1))
        pages = [ids(store.search("job", P1, limit=10, offset=offset)) for offset in (0, 10, 20, 30)]
        assert [len(page) for page in pages] == [10, 10, 5, 0]
        assert [job_id for page in pages for job_id in page] == [f"j{number}" for number in range(25)]

    def test_every_document_of_a_kind_is_found_once_in_the_order_of_creation(self, store):
        store.create("session", "s", ALICE, {"session_id": "s"})
        groups = [[Create("job", f"j{n}", (ALICE, BOB)[n % 2], a_job(f"j{n}"))] for n in range(1003)]
        assert all(isinstance(result, list) for result in store.apply_each(groups))
        store.replace(store.get("job", "j0", P1), a_job("j0", n=1))
        assert ids(store.every("job")) == [f"j{number}" for number in range(1003)]
        assert next(store.every("job")).document["n"] == 1
        assert ids(store.every("backup")) == []

    def test_a_list_has_what_its_scope_can_see(self, store):
        store.create("job", "a", ALICE, a_job("a"))
        store.create("job", "b", BOB, a_job("b"))
        store.create("job", "c", Owner("alice", "p2"), a_job("c"))
        assert ids(store.search("job", P1)) == ["a"]
        assert ids(store.search("job", P2)) == ["b", "c"]
        assert ids(store.search("job", Scope(user_id="alice"))) == ["a", "c"]
        assert ids(store.search("job", ALL_OWNERS)) == ["a", "b", "c"]
        assert store.search("session", ALL_OWNERS) == []

    def test_the_question_of_a_scheduler_is_answered(self, store):
        for number, (client_id, status) in enumerate(
            [("db1", "scheduled"), ("db1", "completed"), ("db2", "scheduled"), ("db1", None)]
        ):
            schedule = {} if status is None else {"status": status}
            store.create("job", f"j{number}", ALICE, a_job(f"j{number}", client_id, job_schedule=schedule))
        query = Query(
            match=(FieldMatches(("client_id",), "db1"),),
            match_not=(FieldMatches(("job_schedule", "status"), "completed"),),
        )
        assert ids(store.search("job", P1, query)) == ["j0", "j3"]
        store.replace(store.get("job", "j0", P1), a_job("j0", "db1", job_schedule={"status": "completed"}))
        assert ids(store.search("job", P1, query)) == ["j3"]

    @pytest.mark.parametrize(
        ("path", "value", "found"),
        [
            (("text",), "Hello World", ["a"]),
            (("text",), "hello world", []),
            (("number",), 5, ["a"]),
            (("number",), 5.0, ["a"]),
            (("number",), "5", []),
            (("number",), True, []),
            (("flag",), True, ["a"]),
            (("flag",), 1, []),
            (("flag",), False, ["b"]),
            (("nothing",), None, ["a", "b"]),
            (("text",), None, ["b"]),
            (("deep", "deeper"), "x", ["a"]),
            (("words",), "two", ["a"]),
            (("words",), "four", []),
            (("deep",), "x", []),
            (("job_actions", "freezer_action", "container"), "c2", ["a"]),
            (("job_actions", "freezer_action", "container"), "c3", []),
            (("job_actions", "mandatory"), True, ["a"]),
            (("job_id",), "a", ["a"]),
            (("job_id",), 3, []),
            (("user_id",), "alice", ["a", "b"]),
            (("no-such-key", "x"), "y", []),
        ],
        ids=str,
    )
    def test_a_field_matches_by_its_json_value(self, store, path, value, found):
        document = a_job(
            "a",
            text="Hello World",
            number=5,
            flag=True,
            nothing=None,
            deep={"deeper": "x"},
            words=["one", "two"],
            job_actions=[
                {"freezer_action": {"container": "c1"}},
                {"freezer_action": {"container": "c2"}, "mandatory": True},
            ],
        )
        store.create("job", "a", ALICE, {**document, "user_id": "alice"})
        store.create("job", "b", ALICE, {**a_job("b", flag=False), "user_id": "alice"})
        condition = FieldMatches(path, value)
        assert ids(store.search("job", P1, Query(match=(condition,)))) == found
        others = [name for name in ("a", "b") if name not in found]
        assert ids(store.search("job", P1, Query(match_not=(condition,)))) == others

    def test_any_value_is_searched_whatever_its_case(self, store):
        store.create("job", "a", ALICE, a_job("a", description="Nightly of DB1", n=[{"x": 4711}]))
        store.create("job", "b", ALICE, a_job("b", description="hourly"))
        assert ids(store.search("job", P1, Query(match=(AnyValueContains("nightly"),)))) == ["a"]
        assert ids(store.search("job", P1, Query(match=(AnyValueContains("471"),)))) == ["a"]
        assert ids(store.search("job", P1, Query(match_not=(AnyValueContains("NIGHTLY"),)))) == ["b"]
        assert ids(store.search("job", P1, Query(match=(AnyValueContains("100%"),)))) == []

    def test_text_in_secrets_is_found_only_by_who_looks_into_them(self, store):
        action = {"ssh_password": "hunter2", "SSH-Passphrase": ["hunter2"], "auth": {"token": {"deep": "hunter2"}}}
        store.create("job", "a", ALICE, a_job("a", job_actions=[{"freezer_action": action}], description="hunter"))
        for text, count in (("hunter2", 0), ("HUNTER", 1)):
            past = AnyValueContains(text, looks_into_secrets=False)
            assert len(store.search("job", P1, Query(match=(past,)))) == count
            assert len(store.search("job", P1, Query(match_not=(past,)))) == 1 - count
            assert len(store.search("job", P1, Query(match=(AnyValueContains(text),)))) == 1

    def test_backups_are_bounded_by_their_time_stamps(self, store):
        for number, stamp in enumerate([100, 200, "300", None, 2**70]):
            metadata = {"time_stamp": stamp} if number != 1 else {"timestamp": stamp}
            store.create("backup", f"b{number}", ALICE, {"backup_id": f"b{number}", "backup_metadata": metadata})
        assert ids(store.search("backup", P1, Query(time_after=100, time_before=200))) == ["b0", "b1"]
        assert ids(store.search("backup", P1, Query(time_after=201))) == ["b2"]

    def test_the_state_of_a_scope_is_another_one_after_every_write_that_it_can_see(self, store):
        alice = Scope(user_id="alice")
        seen = {scope: [store.state("job", scope)] for scope in (P1, P2, alice, ALL_OWNERS)}

        def after(write):
            write()
            for scope, states in seen.items():
                states.append(store.state("job", scope))

        after(lambda: store.create("job", "a", ALICE, a_job("a")))
        after(lambda: store.replace(store.get("job", "a", P1), a_job("a", n=1)))
        after(lambda: store.put("job", "a", ALICE, a_job("a", n=2)))
        after(lambda: store.delete(store.get("job", "a", P1)))
        after(lambda: store.create("job", "a", ALICE, a_job("a")))
        for scope in (P1, alice, ALL_OWNERS):
            assert all(earlier != later for earlier, later in itertools.pairwise(seen[scope]))
            # Nothing can be nothing again; no other state comes back.
            assert len(set(seen[scope]) - {seen[scope][0]}) >= 4
        assert len(set(seen[P2])) == 1
        after(lambda: store.create("session", "s", ALICE, {}))
        with pytest.raises(ConflictError):
            after(lambda: store.create("job", "a", ALICE, a_job("a")))
        assert seen[P1][-1] == store.state("job", P1) == seen[P1][-2]

    def test_documents_are_counted_by_kind(self, store):
        assert store.counts() == {}
        store.create("job", "a", ALICE, a_job("a"))
        store.create("job", "a", BOB, a_job("a"))
        store.create("client", "c", BOB, {"client": {"client_id": "c"}})
        assert store.counts() == {"job": 2, "client": 1}

    def test_of_racing_writers_one_wins_each_round_and_no_write_is_lost(self, store):
        store.create("session", "s", ALICE, {"session_id": "s", "count": 0})

        def add_one(_number):
            while True:
                seen = store.get("session", "s", P1)
                try:
                    return store.replace(seen, {"session_id": "s", "count": seen.document["count"] + 1})
                except ConflictError:
                    continue

        with ThreadPoolExecutor(8) as threads:
            versions = list(threads.map(add_one, range(80)))
        assert sorted(versions) == list(range(2, 82))
        assert store.get("session", "s", P1).document["count"] == 80

    def test_one_id_created_by_many_at_once_is_created_by_one(self, store):
        def create(number):
            try:
                return store.create("job", "j", ALICE, a_job(n=number))
            except ConflictError:
                return None

        with ThreadPoolExecutor(8) as threads:
            outcomes = list(threads.map(create, range(24)))
        assert outcomes.count(1) == 1
        assert outcomes.count(None) == 23
