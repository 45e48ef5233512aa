# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Swift as storage, against the Swift of tests/labs/openstack."""

from __future__ import annotations

import os
import random
import secrets
import time
import tracemalloc

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.connection import connect_cloud
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage import swift, swift_requests
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.choose import storage_for
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.errors import SetBusy, StorageError
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.swift import SwiftStorage
from ansible_collections.freezer.backup.tests.support import cloud_lab
from ansible_collections.freezer.backup.tests.support.cloud_proxy import (
    CloudProxy,
    accepted_and_lost,
    accepted_and_silent,
    answers,
    damaged,
    never_sent,
    token_expired,
)
from ansible_collections.freezer.backup.tests.support.storage_contract import StorageContract

PIECE = 1 << 20


@pytest.fixture(scope="module")
def project(swift_lab):
    return cloud_lab.new_project(swift_lab)


@pytest.fixture(scope="module")
def cloud(project):
    return connect_cloud({"auth": project.auth}, {})


@pytest.fixture
def storage(cloud):
    return SwiftStorage(f"c-{secrets.token_hex(6)}", lambda: cloud, PIECE)


class TestContract(StorageContract):
    @pytest.fixture
    def storage(self, cloud):
        return SwiftStorage(f"c-{secrets.token_hex(6)}", lambda: cloud, PIECE)

    @pytest.fixture
    def same_place(self, storage, cloud):
        return SwiftStorage(storage.container, lambda: cloud, PIECE)


@pytest.fixture
def proxy(swift_lab):
    with CloudProxy(swift_lab.auth_url) as running:
        yield running


@pytest.fixture
def behind(proxy, project):
    """A storage whose requests pass the proxy; its patience is short."""
    options = {"auth": {**project.auth, "auth_url": proxy.auth_url}, "timeout_seconds": 3}
    cloud = connect_cloud(options, {})
    return SwiftStorage(f"c-{secrets.token_hex(6)}", lambda: cloud, PIECE)


CONTENT = random.Random(7).randbytes(5 * PIECE // 2)


def listed(cloud, container):
    answer = cloud.service("object-store").request("GET", f"/{container}?format=json")
    return [entry["name"] for entry in answer.document]


def test_a_large_object_lies_in_pieces_in_the_container_for_segments(storage, cloud):
    storage.put("set/1_0/data.000000", CONTENT)
    assert listed(cloud, storage.container) == ["set/1_0/data.000000"]
    pieces = listed(cloud, f"{storage.container}_segments")
    assert len(pieces) == 3
    assert all(name.startswith("set/1_0/data.000000/") for name in pieces)


def test_the_whole_stream_of_a_backup_is_one_download(storage, cloud):
    first, second = CONTENT, CONTENT[:1000]
    storage.put("set/1_0/data.000000", first)
    storage.put("set/1_0/data.000001", second)
    storage.put("set/1_0/manifest.json", b"{}")
    answer = cloud.service("object-store").request("GET", f"/{storage.container}/set/1_0/data", raw=True)
    assert answer.document == first + second
    # Archives do not see it: it would be one more segment.
    assert storage.children("set/1_0") == ["data.000000", "data.000001", "manifest.json"]


def test_a_stream_of_more_segments_than_a_manifest_may_name_is_joined_in_storeys(storage, cloud, monkeypatch):
    monkeypatch.setattr(swift_requests, "_MANIFEST_ENTRIES", 3)
    monkeypatch.setattr(swift_requests.SwiftRequests, "manifest_entries", lambda _self: 3)
    parts = [bytes([number]) * 10 for number in range(10)]
    for number, part in enumerate(parts):
        storage.put(f"set/1_0/data.{number:06d}", part)
    storage.put("set/1_0/manifest.json", b"{}")
    answer = cloud.service("object-store").request("GET", f"/{storage.container}/set/1_0/data", raw=True)
    assert answer.document == b"".join(parts)


def test_the_cluster_says_how_many_pieces_a_manifest_may_name(storage):
    assert storage._swift.manifest_entries() >= 1000


def test_a_deleted_folder_leaves_no_pieces(storage, cloud):
    storage.put("set/1_0/data.000000", CONTENT)
    storage.put("set/1_0/manifest.json", b"{}")
    storage.put("set/2_1/data.000000", CONTENT)
    storage.delete_folder("set/1_0")
    assert listed(cloud, storage.container) == ["set/2_1/data.000000"]
    assert all(name.startswith("set/2_1/") for name in listed(cloud, f"{storage.container}_segments"))


def test_a_discarded_large_object_leaves_no_pieces(storage, cloud):
    writer = storage.create("set/1_0/data.000000")
    writer.write(CONTENT)
    writer.discard()
    assert listed(cloud, f"{storage.container}_segments") == []


def test_an_application_credential_is_enough(project, cloud):
    auth = {
        "auth_url": project.auth["auth_url"],
        "application_credential_id": project.application_credential["id"],
        "application_credential_secret": project.application_credential["secret"],
    }
    own = connect_cloud({"auth": auth}, {})
    storage = SwiftStorage(f"c-{secrets.token_hex(6)}", lambda: own)
    storage.put("set/1_0/x", b"1")
    assert SwiftStorage(storage.container, lambda: cloud).children("set") == ["1_0"]


def test_an_openrc_file_is_enough(project, tmp_path):
    path = tmp_path / "openrc"
    path.write_text("".join(f"export {name}='{value}'\n" for name, value in project.environment.items()))
    storage = storage_for("swift", f"c-{secrets.token_hex(6)}", {"osrc": str(path)})
    storage.put("set/1_0/x", b"1")
    assert storage.children("set") == ["1_0"]


def test_the_environment_is_enough(project, monkeypatch):
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    storage = storage_for("swift", f"c-{secrets.token_hex(6)}")
    storage.put("set/1_0/x", b"1")
    assert storage.children("set") == ["1_0"]


def test_without_a_login_the_sentence_says_what_to_give(monkeypatch):
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    with pytest.raises(StorageError, match="Who asks the cloud"):
        storage_for("swift", "c").children("")


@pytest.mark.parametrize(
    "fault",
    [
        answers(429, Retry_After="0"),
        answers(500),
        answers(503),
        accepted_and_lost,
        accepted_and_silent(1.5),
        never_sent,
        token_expired,
    ],
    ids=["429", "500", "503", "accepted-and-lost", "accepted-and-silent", "never-sent", "token-expired"],
)
@pytest.mark.parametrize(
    "where", ["PUT .*_segments/", "PUT .*multipart-manifest=put", "GET .*/data.000000", "GET .*prefix="]
)
def test_a_fault_that_passes_changes_nothing(proxy, behind, fault, where):
    rule = proxy.on(where, fault)
    behind.put("set/1_0/data.000000", CONTENT)
    assert behind.children("set/1_0") == ["data.000000"]
    with behind.open("set/1_0/data.000000") as stream:
        assert stream.read() == CONTENT
    assert rule.met > 1, "the request was repeated"


@pytest.mark.parametrize("where", ["PUT .*_segments/", "PUT .*multipart-manifest=put"])
def test_a_fault_that_stays_leaves_no_object_and_no_secret_in_the_sentence(proxy, behind, project, where):
    behind.put("set/1_0/first", b"1")
    proxy.on(where, answers(503, Retry_After="0"), times=100)
    with pytest.raises(StorageError, match="status 503") as told:
        behind.put("set/1_0/data.000000", CONTENT)
    assert project.auth["password"] not in str(told.value)
    assert behind.children("set/1_0") == ["first"]


def test_a_piece_that_is_damaged_on_the_way_is_refused_by_swift(proxy, behind):
    def damages_the_request(exchange):
        exchange.body = bytes([exchange.body[0] ^ 1]) + exchange.body[1:]
        return exchange.forward()

    behind.put("set/1_0/first", b"1")
    proxy.on("PUT .*_segments/", damages_the_request, times=100)
    with pytest.raises(StorageError, match="status 422"):
        behind.put("set/1_0/data.000000", CONTENT)
    assert behind.children("set/1_0") == ["first"]


def test_an_object_that_is_damaged_on_the_way_back_is_not_given_out(proxy, behind):
    behind.put("set/1_0/small", b"content")
    proxy.on("GET .*/small", damaged)
    with pytest.raises(StorageError, match="ETag"):
        behind.open("set/1_0/small")


def test_a_full_quota_says_what_to_do(storage, cloud):
    storage.put("set/1_0/x", b"1")
    cloud.service("object-store").request(
        "POST", f"/{storage.container}", headers={"X-Container-Meta-Quota-Bytes": "10"}, raw=True
    )
    with pytest.raises(StorageError, match="free some space, or choose another container"):
        storage.put("set/1_0/y", b"more than ten bytes")


def test_a_lock_that_is_not_renewed_ends_by_itself(storage, cloud, monkeypatch):
    monkeypatch.setattr(swift, "_HOLD_SECONDS", 1.0)
    cut_off = SwiftStorage(storage.container, lambda: cloud)
    monkeypatch.setattr(cut_off, "_keep", lambda *_arguments: None)
    with cut_off.lock("a_b"):
        deadline = time.monotonic() + 20
        while True:
            try:
                with storage.lock("a_b"):
                    break
            except SetBusy:
                assert time.monotonic() < deadline
                time.sleep(0.2)


def test_a_lock_is_renewed_as_long_as_it_is_held(storage, cloud, monkeypatch):
    monkeypatch.setattr(swift, "_HOLD_SECONDS", 2.0)
    other = SwiftStorage(storage.container, lambda: cloud)
    with storage.lock("a_b"):
        time.sleep(4)
        with pytest.raises(SetBusy), other.lock("a_b"):
            raise AssertionError("held twice")


def test_who_lost_the_lock_to_another_run_commits_nothing_more(storage, cloud, monkeypatch):
    monkeypatch.setattr(swift, "_HOLD_SECONDS", 4.0)
    with storage.lock("a_b"):
        cloud.service("object-store").request("DELETE", f"/{storage.container}/a_b/.lock", raw=True)
        deadline = time.monotonic() + 10
        while not storage._lost_locks and time.monotonic() < deadline:
            time.sleep(0.1)
        with pytest.raises(StorageError, match="lost to another run"):
            storage.put("a_b/1_0/x", b"1")
    assert storage.children("a_b") == []


def test_a_large_object_needs_memory_for_the_pieces_in_flight_only(storage):
    block = os.urandom(1 << 20)
    storage.put("set/1_0/x", b"")
    tracemalloc.start()
    writer = storage.create("set/1_0/big")
    for _number in range(40):
        writer.write(block)
    writer.commit()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * PIECE


@pytest.mark.parametrize("container", ["", "a/b", "x" * 248, "a\0b"])
def test_a_container_is_a_name_that_swift_can_have(container, cloud):
    with pytest.raises(StorageError, match="container of a Swift storage"):
        SwiftStorage(container, lambda: cloud)


def test_the_size_of_a_folder_counts_pieces_once_and_the_joined_stream_not_at_all(storage):
    storage.put("set/1_0/data.000000", CONTENT)
    storage.put("set/1_0/data.000001", b"x" * 10)
    storage.put("set/1_0/manifest.json", b"{}")
    assert storage.size_of("set/1_0") == len(CONTENT) + 10 + 2


def test_pieces_without_an_object_make_a_folder_that_prune_can_find(storage):
    storage.put("set/1_0/manifest.json", b"{}")
    writer = storage.create("set/2_0/data.000000")
    writer.write(CONTENT)
    for done in writer._running:
        done.result()
    assert storage.children("set") == ["1_0", "2_0"]
    assert storage.children("set/2_0") == []
    assert storage.size_of("set/2_0") == 2 * PIECE
    storage.delete_folder("set/2_0")
    assert storage.children("set") == ["1_0"]
