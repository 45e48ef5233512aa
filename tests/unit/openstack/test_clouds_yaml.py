# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""What a clouds.yaml may say besides who asks: regions, single services, their addresses, TLS, profiles."""

from __future__ import annotations

import json
import ssl
from typing import Any

import pytest
import yaml

from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import connect
from ansible_collections.freezer.backup.plugins.module_utils._engine.http import errors
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.connection import connect_cloud
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.identity.login import complete
from ansible_collections.freezer.backup.tests.support.certificates import Authority
from ansible_collections.freezer.backup.tests.support.faulty_server import FaultyServer, answer


def endpoints(host: str, path: str = "") -> list[dict[str, str]]:
    return [
        {
            "interface": interface,
            "region": region,
            "region_id": region,
            "url": f"http://{host}-{region}-{interface}{path}",
        }
        for region in ("north", "south")
        for interface in ("public", "internal")
    ]


CATALOGUE = [
    {"type": "compute", "name": "nova", "endpoints": endpoints("nova", "/v2.1")},
    {"type": "image", "name": "glance", "endpoints": endpoints("glance")},
    {"type": "image", "name": "archive", "endpoints": endpoints("archive")},
    {"type": "object-store", "name": "swift", "endpoints": endpoints("swift", "/v1/AUTH_p1")[:1]},
    {"type": "volumev3", "name": "cinder", "endpoints": endpoints("cinder", "/v3/p1")},
    {"type": "our-volumes", "name": "ours", "endpoints": endpoints("ours", "/v3/p1")},
    {"type": "backup", "name": "freezer", "endpoints": endpoints("freezer")},
]
TOKEN = {"token": {"project": {"id": "p1"}, "catalog": CATALOGUE}}
GIVEN = answer(201, TOKEN, {"X-Subject-Token": "t0ken"})


def address(kind: str, said: dict[str, Any], **options: Any) -> str:
    """Where a service is, for a cloud that says this."""
    with FaultyServer([GIVEN]) as server:
        auth = {"auth_url": server.url, "user_id": "u1", "password": "s3cret"}
        return connect_cloud({"cloud": {"auth": auth, **said}, **options}, {}).service(kind).url


@pytest.mark.parametrize(
    ("kind", "said", "url"),
    [
        ("compute", {"region_name": "north"}, "http://nova-north-public/v2.1"),
        ("compute", {"region_name": "north", "interface": "internal"}, "http://nova-north-internal/v2.1"),
        ("compute", {"region_name": "north", "endpoint_type": "internalURL"}, "http://nova-north-internal/v2.1"),
        ("compute", {"region_name": "north", "compute_region_name": "south"}, "http://nova-south-public/v2.1"),
        ("volume", {"region_name": "north", "block_storage_interface": "internal"}, "http://cinder-north-internal/v3/p1"),
        ("volume", {"region_name": "north", "volume_interface": "internal"}, "http://cinder-north-internal/v3/p1"),
        ("volume", {"region_name": "south", "volume_service_type": "our-volumes"}, "http://ours-south-public/v3/p1"),
        ("image", {"region_name": "south", "image_service_name": "archive"}, "http://archive-south-public"),
        ("object-store", {"interface": ["internal", "public"]}, "http://swift-north-public/v1/AUTH_p1"),
        ("object-store", {"object_store_endpoint_override": "http://own/v1/a"}, "http://own/v1/a"),
        # What our requests say themselves, and what has no meaning for a backup.
        ("compute", {"region_name": "north", "compute_api_version": "2", "compute_default_microversion": "2.96"},
         "http://nova-north-public/v2.1"),
    ],
)  # fmt: skip
def test_what_a_cloud_says_of_a_service_goes_before_what_it_says_of_all(kind, said, url):
    assert address(kind, said) == url


def test_what_a_task_says_goes_before_what_a_cloud_says_of_a_service():
    said = {"compute_region_name": "south", "compute_interface": "internal"}
    assert address("compute", said, region_name="north", interface="public") == "http://nova-north-public/v2.1"


def test_what_a_cloud_says_of_the_freezer_api_counts_as_well():
    said = {"region_name": "north", "backup_region_name": "south", "backup_interface": "internal"}
    with FaultyServer([GIVEN]) as server:
        auth = {"auth_url": server.url, "user_id": "u1", "password": "s3cret"}
        assert connect(cloud={"auth": auth, **said}).url == "http://freezer-south-internal"


@pytest.mark.parametrize(
    ("kind", "override", "url"),
    [
        ("image", "http://cloud:9292", "http://cloud:9292"),
        ("image", "http://cloud/image/v2/", "http://cloud/image"),
        ("compute", "http://cloud/compute/v2.1", "http://cloud/compute/v2.1"),
        ("compute", "http://cloud:8774/", "http://cloud:8774/v2.1"),
        ("volume", "http://cloud:8776/v3/p1", "http://cloud:8776/v3/p1"),
        ("volume", "http://cloud:8776/v3/%(project_id)s", "http://cloud:8776/v3/p1"),
        ("volume", "http://cloud/volume", "http://cloud/volume/v3/p1"),
        ("object-store", "https://cloud/swift/v1", "https://cloud/swift/v1"),
    ],
)
def test_an_address_may_have_the_version_of_the_service_or_not(kind, override, url):
    assert address(kind, {f"{kind.replace('-', '_')}_endpoint_override": override}) == url


def test_each_request_says_the_microversion_that_it_was_written_for():
    with FaultyServer([GIVEN, answer(200, {}), answer(200, {})]) as server:
        auth = {"auth_url": server.url, "user_id": "u1", "password": "s3cret"}
        said = {"compute_endpoint_override": f"{server.url}/v2.1", "compute_default_microversion": "2.96"}
        compute = connect_cloud({"cloud": {"auth": auth, **said}}, {}).service("compute")
        compute.request("GET", "/servers/detail")
        compute.request("GET", "/servers/detail", headers={"OpenStack-API-Version": "compute 2.48"})
    versions = [request.headers.get("openstack-api-version") for request in server.requests]
    assert versions == [None, None, "compute 2.48"]


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes the files of OpenStack's clients, and lets the environment name them and nothing else."""

    def written(cloud: dict[str, Any], secret: dict[str, Any] | None = None) -> dict[str, str]:
        environ = {}
        for name, variable, said in (("clouds", "CONFIG", cloud), ("secure", "SECURE", secret or {})):
            path = tmp_path / f"{name}.yaml"
            path.write_text(yaml.safe_dump({"clouds": {"mine": said}}))
            environ[f"OS_CLIENT_{variable}_FILE"] = str(path)
            monkeypatch.setenv(f"OS_CLIENT_{variable}_FILE", str(path))
        return environ

    return written


AUTH = {"auth_url": "http://keystone.example", "username": "anna", "password": "s3cret"}


def test_a_region_of_a_cloud_may_say_more_of_itself(write):
    values = {"object_store_endpoint_override": "http://swift.south/v1/a"}
    write({"auth": AUTH, "regions": ["north", {"name": "south", "values": values}]})
    known = complete({"cloud": "mine"})
    assert (known["region_name"], known["services"]) == ("north", {})
    known = complete({"cloud": "mine", "region_name": "south"})
    assert (known["region_name"], known["services"]) == ("south", values)
    with pytest.raises(errors.BadAddress, match="cloud mine cannot be used: Region west is not a valid region name"):
        complete({"cloud": "mine", "region_name": "west"})


def test_a_task_may_name_another_region_than_the_only_one_of_a_cloud(write):
    write({"auth": AUTH, "region_name": "north"})
    assert complete({"cloud": "mine", "region_name": "south"})["region_name"] == "south"


def test_insecure_and_the_home_of_who_asks_are_understood(write, monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    write({"auth": AUTH, "insecure": True, "cacert": "~/ca.pem", "cert": "~/cert.pem", "key": "~/cert.key"})
    known = complete({"cloud": "mine"})
    assert known["validate_certs"] is False
    assert (known["ca_file"], known["client_cert"]) == ("/home/anna/ca.pem", "/home/anna/cert.pem")
    assert known["client_key"] == "/home/anna/cert.key"


@pytest.fixture
def profile(tmp_path, monkeypatch):
    """The name of a profile of a vendor."""
    path = tmp_path / "clouds-public.yaml"
    values = {"auth": {"auth_url": "http://vendor.example/v3"}, "region_name": "v1", "interface": "internal"}
    path.write_text(yaml.safe_dump({"public-clouds": {"vendor": values}}))
    monkeypatch.setattr("openstack.config.loader.VENDOR_FILES", [str(path)])
    return "vendor"


def test_a_profile_completes_what_a_cloud_says(write, profile):
    write({"profile": profile, "auth": {"username": "anna", "project_name": "shop"}}, {"auth": {"password": "s3cret"}})
    known = complete({"cloud": "mine"})
    assert known["auth"] == {
        "auth_url": "http://vendor.example/v3",
        "username": "anna",
        "project_name": "shop",
        "password": "s3cret",
    }
    assert (known["region_name"], known["interface"]) == ("v1", "internal")


def test_a_profile_does_not_bring_other_credentials_along(write, profile, monkeypatch):
    write({"auth": {**AUTH, "user_domain_name": "other"}, "object_store_endpoint_override": "http://other"})
    monkeypatch.setenv("OS_USERNAME", "somebody")
    monkeypatch.setenv("OS_PASSWORD", "else")
    known = complete({"cloud": {"profile": profile, "auth": {"user_id": "u1", "password": "s3cret"}}})
    assert known["auth"] == {"auth_url": "http://vendor.example/v3", "user_id": "u1", "password": "s3cret"}
    assert known["services"] == {}


def test_the_name_of_a_file_with_one_cloud_is_enough_for_keystone_and_service_with_tls(write, tmp_path):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("client")
    context = authority.server_context("localhost")
    context.load_verify_locations(authority.ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    with FaultyServer([GIVEN, answer(200, {"images": []})], tls=context) as server:
        said: dict[str, Any] = {
            "auth_type": "v3applicationcredential",
            "auth": {"auth_url": server.url, "application_credential_id": "c1"},
            "image_endpoint_override": server.url,
            "cacert": str(authority.ca_file),
        }
        secret = {"auth": {"application_credential_secret": "s3cret"}}
        environ = write({**said, "cert": str(certificate), "key": str(key)}, secret)
        image = connect_cloud({}, environ).service("image")
        assert image.request("GET", "/v2/images").document == {"images": []}
    assert [request.path for request in server.requests] == ["/v3/auth/tokens", "/v2/images"]
    identity = json.loads(server.requests[0].body)["auth"]["identity"]
    assert identity["application_credential"] == {"id": "c1", "secret": "s3cret"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clouds: [", r"The file {} cannot be read: line 1, column 10: "),
        ("clouds:\n\tmine: {{}}", r"The file {} cannot be read: line 2, column 1: "),
        ("[mine]", r"The file {} is a list; it must be a mapping with the key clouds"),
        ("clouds: [mine]", r"clouds in the file {} is a list; it must be a mapping"),
        ("clouds:", r"clouds in the file {} is empty; it must be a mapping"),
        ("clouds: {other: {}}", r"cloud mine cannot be used: Cloud mine was not found\. Read was {}"),
        ("clouds: {mine: }", r"cloud mine in the file {} is empty; it must be a mapping"),
        ("clouds: {mine: s3cret}", r"cloud mine in the file {} is a text; it must be a mapping"),
        ("clouds: {mine: {auth: s3cret}}", r"cloud mine in the file {}: auth is a text; it must be a mapping"),
        ("clouds: {mine: {auth: }}", r"cloud mine in the file {}: auth is empty; it must be a mapping"),
        ("clouds: {mine: {auth: {password: {a: s3cret}}}}", r"cloud mine in the file {}: password in auth is a mapping"),
        ("clouds: {mine: {regions: north}}", r"cloud mine in the file {}: regions is a text; it must be a list"),
        ("clouds: {mine: {region_name: [north]}}", r"cloud mine in the file {}: region_name is a list"),
        ("clouds: {mine: {profile: [a]}}", r"cloud mine in the file {}: profile is a list"),
        ("clouds: {mine: {interface: {a: 1}}}", r"cloud mine in the file {}: interface is a mapping"),
        ("clouds: {mine: {metrics: [s3]}}", r"cloud mine cannot be used: openstacksdk makes no sense .* Read was {}"),
        ("cache: [s3]\nclouds: {mine: {}}", r"cloud mine cannot be used: openstacksdk makes no sense .* Read was {}"),
        ("clouds: &x {mine: *x}", r"The file {} cannot be read: one of its aliases stands for what it is a part of"),
        ("clouds: {mine: {auth: " + "[" * 2000, r"The file {} cannot be read: too much of it is in one another"),
        ("clouds: {mine: {profile: 'http://s3cret@127.0.0.1:1/'}}", r"cloud mine cannot be used: its profile is an address, and .* Read was {}"),
        ("clouds: {mine: {profile: nope, auth: {username: a}}}", r"cloud mine cannot be used: there is no profile 'nope'\. Read was {}"),
        ("clouds: {mine: {1: a}}", r"cloud mine cannot be used: openstacksdk makes no sense .* Read was {}"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("error")
def test_a_clouds_yaml_that_cannot_be_used_is_named_with_cloud_and_key(text, said, tmp_path, monkeypatch):
    path = tmp_path / "broken.yaml"
    path.write_text(text.replace("{{}}", "{}"))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    with pytest.raises(errors.BadAddress, match=said.replace("{}", str(path))) as refused:
        complete({"cloud": "mine"})
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("cloud", ["mine", ""])
def test_a_clouds_yaml_that_is_not_where_it_should_be_is_named(cloud, tmp_path, monkeypatch):
    """In its place another one, with other credentials, would be read."""
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "away.yaml"))
    with pytest.raises(errors.BadAddress, match="away.yaml, which OS_CLIENT_CONFIG_FILE names, is not there"):
        complete({"cloud": cloud})


def test_a_file_that_has_no_clouds_is_not_asked_for_its_only_one(tmp_path, monkeypatch):
    (tmp_path / "empty.yaml").write_text("")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "empty.yaml"))
    with pytest.raises(errors.BadAddress, match=r"has 0 clouds \(none\)"):
        complete({"cloud": ""})


@pytest.mark.filterwarnings("error")
def test_a_profile_that_is_not_there_is_named_unless_the_cloud_says_itself_where_it_is(write):
    with pytest.raises(errors.BadAddress, match=r"^cloud with a profile cannot be used: there is no profile 'nope'\.$"):
        complete({"cloud": {"profile": "nope", "auth": {"username": "anna"}}})
    write({"profile": "nope", "auth": AUTH})
    assert complete({"cloud": "mine"})["auth"] == AUTH


def test_what_a_task_says_of_a_cloud_has_to_have_its_shape_too():
    with pytest.raises(errors.BadAddress, match="^cloud: auth is a text; it must be a mapping"):
        complete({"cloud": {"auth": "x"}})
