# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures that several rooms share: real server processes. A test's own data has its own project."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.freezer.backup.tests.support import (
    api_process,
    cloud_lab,
    elasticsearch_lab,
    keystone_lab,
    labs,
    soak,
)
from ansible_collections.freezer.backup.tests.support.api_process import ApiProcess
from ansible_collections.freezer.backup.tests.support.guests import Guest
from ansible_collections.freezer.backup.tests.support.lab_minutes import WITHOUT, LabMinutes, lab_of, note_labs
from ansible_collections.freezer.backup.tests.support.role_runs import needed

StartApi = Callable[..., ApiProcess]


def pytest_configure(config: pytest.Config) -> None:
    """Programs under test hear every signal, also where pytest was started in the background or with nohup.

    A signal that is ignored is ignored in children too; one that has a handler has its default there.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        # pytest itself still outlives its terminal.
        signal.signal(signal.SIGHUP, lambda _number, _frame: None)
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(__file__).parents[1] / "build/hypothesis"))
    # What this host knows of containers is that of the tests of this run, in whatever process they work.
    if "FREEZER_BACKUP_STATE" not in os.environ:
        folder = tempfile.mkdtemp(prefix="freezer-backup-state-")
        os.chmod(folder, 0o1777)  # some tests give root up; each user of the machine has a folder of its own otherwise
        os.environ["FREEZER_BACKUP_STATE"] = os.path.join(folder, "state")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(LabMinutes())


#: Labs that one test at a time has for itself.
_ALONE = ("guests", "hosts")
#: What takes minutes beside those, the longest first: begun last, it would keep one worker at the end while the others have
#: nothing to do.
_LONG = (
    "test_cloud_sequence",
    "test_cloud_power_playbooks",
    "test_sequence_playbooks",
    "test_agent_servers",
    "test_server_groups",
    "test_guest_agent",
    "test_api_on_a_cluster",
    "test_agent_volumes",
    "test_servers",
    "test_volumes",
    "test_taken",
    "test_elastic_store",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What one worker does (`pytest -n 3`), and when: all tests of a lab that is for one alone, else the tests of a file.

    Those labs take longest, so they begin at once; beside them what needs no lab, and of that the quick tests of single
    pieces before whole programs, so that a red test shows in minutes.
    Tests that are marked `soak` are left to `make soak`.
    """
    items[:], left = soak.split(items)
    config.hook.pytest_deselected(items=left)
    note_labs(items)
    groups: dict[pytest.Item, str] = {}
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        lab = next((name for name in _ALONE if name in fixtures), None)
        groups[item] = lab or item.path.stem
        item.add_marker(pytest.mark.xdist_group(groups[item]))

    def when(item: pytest.Item) -> tuple[int, int]:
        group = groups[item]
        if group in _ALONE:
            return 0, _ALONE.index(group)
        if group in _LONG:
            return 2, _LONG.index(group)
        return (1, "end_to_end" in item.path.parts) if lab_of(item) == WITHOUT else (3, 0)

    items.sort(key=when)


@pytest.fixture(scope="session")
def freezer_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    """A freezer-api for the whole session: noauth, SQLite, loopback. ``freezer_api.url`` leads to it."""
    process = api_process.start(tmp_path_factory.mktemp("freezer-api"))
    yield process
    process.stop()


@pytest.fixture
def start_freezer_api(tmp_path: Path) -> Iterator[StartApi]:
    """Starts further freezer-api processes: ``start_freezer_api("--htpasswd", path, auth_strategy="http_basic")``.

    ``folder`` names another folder than the test's own. All of them are stopped after the test.
    """
    started: list[ApiProcess] = []

    def start(*arguments: str, folder: Path = tmp_path, **options: Any) -> ApiProcess:
        started.append(api_process.start(folder, *arguments, **options))
        return started[-1]

    yield start
    for process in started:
        process.stop()


@pytest.fixture(scope="session")
def keystone() -> keystone_lab.Keystone:
    """The Keystone of tests/labs/openstack, left running for the next session."""
    try:
        return keystone_lab.start()
    except keystone_lab.LabUnavailable as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def swift_lab() -> keystone_lab.Keystone:
    """Keystone and Swift of tests/labs/openstack, left running for the next session."""
    return _cloud("swift")


@pytest.fixture(scope="session")
def nova_lab() -> keystone_lab.Keystone:
    """All of tests/labs/openstack that Nova needs, Cinder and Swift among it, left running for the next session."""
    return _cloud("swift", "cinder", "nova")


def _cloud(*pieces: str) -> keystone_lab.Keystone:
    try:
        return cloud_lab.start(*pieces)
    except keystone_lab.LabUnavailable as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def guests() -> Iterator[list[Guest]]:
    """The guests guest1 and guest2 of tests/labs/guests, for this session alone, left running for the next one."""
    with needed(labs.guests()) as variables:
        found = [Guest(name, variables) for name in ("guest1", "guest2")]
        for one in found:
            # A session that was ended in the middle of a test has left volumes.
            if one.is_as_new():
                one.make_quick()
            else:
                one.renew()
        yield found
        for one in found:
            one.disconnect()


@pytest.fixture(scope="session")
def guest(guests: list[Guest]) -> Guest:
    """The guest that is changed by one test after the other; each leaves it as it was."""
    return guests[0]


@pytest.fixture(scope="session")
def elasticsearch() -> elasticsearch_lab.Server:
    """An Elasticsearch 9, left running for the next session; what a test makes there has ``index_prefix`` in front."""
    return _elasticsearch("single")


@pytest.fixture(scope="session")
def elasticsearch_8() -> elasticsearch_lab.Server:
    """An Elasticsearch 8.19."""
    return _elasticsearch("eight")


@pytest.fixture(scope="session")
def secure_elasticsearch() -> elasticsearch_lab.Server:
    """An Elasticsearch 9 with TLS of an authority of its own, for one user with a password."""
    return _elasticsearch("secure")


@pytest.fixture(scope="session")
def opensearch() -> elasticsearch_lab.Server:
    """An OpenSearch 3."""
    return _elasticsearch("opensearch")


@pytest.fixture
def index_prefix() -> Iterator[str]:
    """The beginning of the names of indices and aliases that no other test uses; they are deleted after the test."""
    prefix = f"test-{uuid.uuid4().hex[:12]}"
    yield prefix
    elasticsearch_lab.delete_indices(prefix)


def _elasticsearch(piece: str) -> elasticsearch_lab.Server:
    try:
        return elasticsearch_lab.start(piece)
    except labs.LabUnavailable as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def lvm_guest(guest: Guest) -> Guest:
    """The guest as new, with the collection as the checkout has it now."""
    if not guest.is_as_new():
        guest.renew()
    guest.install_collection()
    return guest


@pytest.fixture
def project_id() -> str:
    """A project that no other test uses."""
    return f"p{uuid.uuid4().hex[:12]}"
