# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""elasticsearch_mapping and its info, on each server: every change twice, and first in check mode behind a proxy that
lets nobody write."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.ansible_command import run_ansible
from support.modules import run_module
from support.refusing_proxy import RefusingProxy

KEYWORD = {"type": "keyword"}
LONG = {"type": "long"}
SERVERS = ("elasticsearch", "elasticsearch_8", "opensearch")


class Cluster:
    """A server and a prefix for the names of a test, as a user of the modules sees them."""

    def __init__(self, server, prefix: str) -> None:
        self.server = server
        self.prefix = prefix

    def run(self, **options: Any) -> dict[str, Any]:
        """Run the module in check mode where nobody may write, then in earnest, then again."""
        with RefusingProxy(self.server.url) as proxy:
            promised = run_module("elasticsearch_mapping", {**options, "url": proxy.url}, check_mode=True)
            assert proxy.refused == []
        result = run_module("elasticsearch_mapping", {**options, "url": self.server.url})
        assert not result["failed"], result["msg"]
        assert (promised["changed"], promised["diff"]) == (result["changed"], result["diff"])
        assert outcomes(promised) == outcomes(result)
        again = run_module("elasticsearch_mapping", {**options, "url": self.server.url})
        assert not again["changed"], again
        assert again["diff"] == {"before": {}, "after": {}}
        return result

    def sentence(self, in_check_mode: bool = True, **options: Any) -> str:
        """Run the module, which has to fail with a sentence, the same in check mode."""
        result = run_module("elasticsearch_mapping", {"url": self.server.url, **options})
        assert result["failed"], result
        if in_check_mode:
            checked = run_module("elasticsearch_mapping", {"url": self.server.url, **options}, check_mode=True)
            assert checked["msg"] == result["msg"]
        assert "\n" not in result["msg"]
        assert "Traceback" not in result["msg"]
        return result["msg"]

    def info(self, **options: Any) -> list[dict[str, Any]]:
        with RefusingProxy(self.server.url) as proxy:
            result = run_module("elasticsearch_mapping_info", {"url": proxy.url, **options})
            assert proxy.refused == []
        assert not result["failed"], result["msg"]
        return result["indices"]

    def write(self, alias: str, *documents: dict[str, Any]) -> None:
        lines = [line for n, document in enumerate(documents) for line in ({"index": {"_id": f"d{n}"}}, document)]
        body = "".join(json.dumps(line) + "\n" for line in lines).encode()
        answer = self.server.ask("POST", f"/{alias}/_bulk?refresh=true", body)
        assert not answer["errors"], answer

    def count(self, name: str) -> int:
        return self.server.ask("GET", f"/{name}/_count")["count"]


def outcomes(result: dict[str, Any]) -> list[str]:
    return [one["outcome"] for one in result["indices"]]


@pytest.fixture(params=SERVERS)
def cluster(request, index_prefix):
    return Cluster(request.getfixturevalue(request.param), index_prefix)


@pytest.fixture
def newest(elasticsearch, index_prefix):
    return Cluster(elasticsearch, index_prefix)


def test_an_index_is_made_gets_more_fields_is_copied_and_removed(cluster):
    name = cluster.prefix
    options = {"index": name, "settings": {"number_of_shards": 1}, "number_of_replicas": 0}
    made = cluster.run(**options, mapping={"dynamic": "strict", "properties": {"host": KEYWORD, "size": KEYWORD}})
    assert outcomes(made) == ["created"]
    assert made["diff"]["after"][name]["fields"] == {"host": "keyword", "size": "keyword"}
    assert made["indices"][0]["index"] == f"{name}-v1"
    cluster.write(name, {"host": "a", "size": "1"}, {"host": "b", "size": "2"})

    more = {"dynamic": "strict", "properties": {"host": KEYWORD, "size": KEYWORD, "at.day": {"type": "date"}}}
    added = cluster.run(**options, mapping=more)
    assert outcomes(added) == ["changed"]
    assert added["diff"] == {
        "before": {name: {}},
        "after": {name: {"fields": {"at": "object", "at.day": "date"}}},
    }

    other = {"dynamic": "strict", "properties": {"host": KEYWORD, "size": LONG}}
    refused = cluster.sentence(**options, mapping=other)
    assert refused == (
        f"{name} has to be copied into a new index, which is not allowed: size would change from keyword to long, "
        "only with a copy into a new index."
    )
    copied = cluster.run(**options, mapping=other, reindex="when_needed")
    assert outcomes(copied) == ["copied"]
    assert copied["diff"] == {
        "before": {name: {"fields": {"size": "keyword"}}},
        "after": {name: {"fields": {"size": "long"}}},
    }
    (report,) = copied["indices"]
    assert (report["index"], report["copied_documents"]) == (f"{name}-v2", 2)
    assert report["conflicts"] == [{"path": "size", "before": {"type": "keyword"}, "after": {"type": "long"}}]
    assert [one["path"] for one in report["extra"]] == ["at", "at.day"]
    assert cluster.count(name) == 2

    (found,) = cluster.info(index=name, mapping=other, settings={"number_of_replicas": 0})
    assert (found["outcome"], found["old_versions"]) == ("unchanged", [f"{name}-v1"])
    assert found["mapping"]["properties"]["size"] == LONG
    pruned = cluster.run(**options, mapping=other, keep_old=False)
    assert pruned["diff"]["before"][name] == {"old_versions": [f"{name}-v1"]}
    assert outcomes(pruned) == ["pruned"]

    assert f"{name}-v2 (2 documents)" in cluster.sentence(index=name, state="absent")
    gone = cluster.run(index=name, state="absent", erase=True)
    assert outcomes(gone) == ["removed"]
    assert cluster.server.indices(name) == []


def test_the_indices_of_freezer_api_are_the_default(cluster):
    made = cluster.run(prefix=cluster.prefix, number_of_replicas=0)
    assert set(outcomes(made)) == {"created"}
    names = [one["name"] for one in made["indices"]]
    assert f"{cluster.prefix}-jobs" in names
    found = cluster.info(prefix=cluster.prefix)
    assert [one["name"] for one in found] == names
    assert {one["outcome"] for one in found} == {"unchanged"}
    (jobs,) = cluster.info(prefix=cluster.prefix, kinds=["job"])
    assert jobs["aliases"] == [f"{cluster.prefix}-jobs"]
    assert outcomes(cluster.run(prefix=cluster.prefix, state="absent")) == ["removed"] * len(names)


def test_an_index_that_is_not_there_is_told_so(newest):
    (found,) = newest.info(index=newest.prefix)
    assert (found["index"], found["outcome"], found["documents"]) == (None, "created", 0)
    absent = run_module("elasticsearch_mapping", {"url": newest.server.url, "index": newest.prefix, "state": "absent"})
    assert not absent["changed"]


def test_replicas_that_no_server_could_hold_are_warned_of(newest):
    result = newest.run(index=newest.prefix, number_of_replicas=2)
    assert any(
        "2 replicas and the original need 3 data nodes, and there are 1" in str(one) for one in result["warnings"]
    )
    changed = newest.run(index=newest.prefix, number_of_replicas=0)
    assert changed["diff"]["before"][newest.prefix] == {"settings": {"index.number_of_replicas": "2"}}
    assert not changed.get("warnings")


def test_documents_are_lost_by_agreement_only(newest):
    name = newest.prefix
    newest.run(index=name, mapping={"properties": {"size": KEYWORD}}, number_of_replicas=0)
    newest.write(name, {"size": "1"}, {"size": "large"})
    options = {"index": name, "mapping": {"properties": {"size": LONG}}, "reindex": "when_needed"}
    assert "cannot be stored with the new mapping, the first is d1" in newest.sentence(in_check_mode=False, **options)
    assert newest.count(name) == 2
    result = newest.run(**options, erase=True)
    assert [one["id"] for one in result["indices"][0]["left_out"]] == ["d1"]
    assert newest.count(name) == 1


def test_old_versions_are_removed_with_the_copy_if_they_are_not_wanted(newest):
    name = newest.prefix
    newest.server.ask("PUT", f"/{name}", {"mappings": {"properties": {"size": KEYWORD}}})
    newest.write(name, {"size": "1"})
    newest.run(index=name, mapping={"properties": {"size": LONG}}, reindex="when_needed", keep_old=False)
    assert newest.server.indices(name) == [f"{name}-v2"]
    assert newest.count(name) == 1


def test_a_secure_cluster_is_spoken_to_with_its_authority_and_password(secure_elasticsearch, index_prefix):
    server = secure_elasticsearch
    options = {
        "url": ["https://127.0.0.1:9", server.url],
        "username": server.user,
        "password": server.password,
        "ca_file": str(server.ca_file),
        "index": index_prefix,
        "retries": 0,
    }
    result = run_module("elasticsearch_mapping", options)
    assert result["changed"], result
    assert server.password not in json.dumps(result)
    wrong = run_module("elasticsearch_mapping", {**options, "password": "wrong-word"})
    assert "does not accept the credentials" in wrong["msg"]
    assert "wrong-word" not in json.dumps(wrong)
    untrusted = run_module("elasticsearch_mapping", {**options, "url": server.url, "ca_file": None})
    assert "is not trusted" in untrusted["msg"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"url": "http://127.0.0.1:9", "retries": 0}, "Elasticsearch at http://127.0.0.1:9 cannot be reached"),
        ({"url": "nonsense"}, "is not an address"),
        ({"url": "http://127.0.0.1:9", "username": "anna"}, "username, password"),
        ({"mapping": {}}, "index"),
        ({"index": "UPPER"}, "must be lowercase"),
        ({"index": "test-wrong", "mapping": {"properties": {"a": {"type": "nothing"}}}}, "nothing"),
        ({"index": "test-wrong", "settings": {"no_such_thing": 1}}, "no_such_thing"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(newest, options, says):
    assert says in newest.sentence(in_check_mode=False, **options)


def test_a_playbook_makes_the_indices_of_an_api_and_finds_them_up_to_date(newest, tmp_path):
    playbook = tmp_path / "indices.yml"
    playbook.write_text(
        """
- hosts: localhost
  gather_facts: false
  tasks:
    - freezer.backup.elasticsearch_mapping: &indices
        url: "{{ elasticsearch_url }}"
        prefix: "{{ prefix }}"
        number_of_replicas: 0
    - freezer.backup.elasticsearch_mapping: *indices
      register: again
    - freezer.backup.elasticsearch_mapping_info:
        url: "{{ elasticsearch_url }}"
        prefix: "{{ prefix }}"
      register: found
    - ansible.builtin.assert:
        that:
          - again is not changed
          - found.indices | length > 3
          - found.indices | rejectattr('outcome', 'eq', 'unchanged') | length == 0
"""
    )
    variables = {"elasticsearch_url": newest.server.url, "prefix": newest.prefix}
    result = run_ansible("ansible-playbook", "--diff", str(playbook), **variables)
    assert "ok=4    changed=1 " in result.stdout, result.stdout + result.stderr
    assert newest.count(f"{newest.prefix}-jobs") == 0
