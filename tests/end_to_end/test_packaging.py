# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What a release consists of: the archive that ansible-galaxy installs, and the wheel that pip installs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
COMMANDS = Path(sys.executable).parent
PREFIX = "ansible_collections/freezer/backup/"
RUN_TIME_FOLDERS = ("meta", "playbooks", "plugins", "roles")
TOP_LEVEL = {
    *RUN_TIME_FOLDERS,
    "CHANGELOG.rst",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "FILES.json",
    "LICENSES",
    "MAINTAINERS.md",
    "MANIFEST.json",
    "README.md",
    "REUSE.toml",
    "SECURITY.md",
    "changelogs",
    "docs",
    "extensions",
}


def run(*command, **environment):
    """Runs a command away from the checkout, without what the environment says about Ansible and Python."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    clean["PATH"] = f"{COMMANDS}{os.pathsep}{clean['PATH']}"
    done = subprocess.run(
        [str(word) for word in command],
        cwd=environment.pop("cwd", "/"),
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """The folder with both, built once."""
    folder = tmp_path_factory.mktemp("release")
    run(CHECKOUT / "tools/package", folder, ANSIBLE_HOME=str(folder / "home"))
    return folder


@pytest.fixture(scope="module")
def archive(release):
    (path,) = release.glob("freezer-backup-*.tar.gz")
    return path


@pytest.fixture(scope="module")
def wheel(release):
    (path,) = release.glob("freezer_backup-*.whl")
    return path


def test_the_collection_does_not_name_another_project_as_its_own(archive):
    """OpenStack's pages, and its tracker of faults, are about another program."""
    with tarfile.open(archive) as opened:
        found = json.loads(opened.extractfile("MANIFEST.json").read())["collection_info"]
    assert {found[key] for key in ("repository", "documentation", "homepage", "issues")} == {None}


def files_of_archive(archive):
    with tarfile.open(archive) as opened:
        return {member.name for member in opened if not member.isdir()}


def files_of_wheel(wheel):
    with zipfile.ZipFile(wheel) as opened:
        return {name[len(PREFIX) :] for name in opened.namelist() if name.startswith(PREFIX)}


def at_run_time(names):
    return {name for name in names if name.split("/")[0] in RUN_TIME_FOLDERS}


def test_the_archive_holds_only_what_belongs_there(archive):
    names = files_of_archive(archive)
    assert {name.split("/")[0] for name in names} <= TOP_LEVEL
    assert not [name for name in names if "__pycache__" in name or "/." in name or name.endswith(".pyc")]


def test_the_archive_holds_every_tracked_file_that_is_needed_at_run_time(archive):
    tracked = run("git", "ls-files", "-z", *RUN_TIME_FOLDERS, cwd=CHECKOUT).split("\0")
    wanted = {name for name in tracked if name and (CHECKOUT / name).exists()}
    assert wanted <= files_of_archive(archive)


def test_wheel_and_archive_hold_the_same_run_time_files(archive, wheel):
    # The names of upstream are importable from a wheel, and lie where Python looks for them.
    elsewhere = "roles/api/files/upstream_names/"
    of_archive = at_run_time(files_of_archive(archive))
    assert at_run_time(files_of_wheel(wheel)) == {name for name in of_archive if not name.startswith(elsewhere)}
    with zipfile.ZipFile(wheel) as opened:
        names = {name[len(elsewhere) :] for name in of_archive if name.startswith(elsewhere)}
        assert {"freezer_api/wsgi.py", "freezer_api/cmd/wsgi.py"} < names <= set(opened.namelist())


def test_the_wheel_holds_the_documentation_and_the_licences(wheel):
    documents = set(run("git", "ls-files", "docs", "LICENSES", cwd=CHECKOUT).split())
    assert documents | {"README.md", "CHANGELOG.rst", "SECURITY.md"} <= files_of_wheel(wheel)


def install(archive, folder):
    """Install the archive below a folder, and return the environment in which Ansible finds that and no other."""
    environment = {
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"),
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
    }
    run("ansible-galaxy", "collection", "install", archive, "--offline", "-p", folder / "collections", **environment)
    return environment


def test_an_installed_archive_documents_every_module(archive, tmp_path):
    environment = install(archive, tmp_path)
    printed = run("ansible-doc", "--metadata-dump", "--no-fail-on-errors", "freezer.backup", **environment)
    modules = json.loads(printed)["all"]["module"]
    assert {name: text["error"] for name, text in modules.items() if "error" in text} == {}
    names = {name.rsplit(".", 1)[1] for name in modules}
    assert names == {path.stem for path in (CHECKOUT / "plugins/modules").glob("*.py")}
    assert members_of_the_action_groups() <= names
    for module in modules.values():
        assert module["doc"]["filename"].startswith(str(tmp_path / "collections"))


def members_of_the_action_groups():
    runtime = yaml.safe_load((CHECKOUT / "meta/runtime.yml").read_text(encoding="utf-8"))
    return {name for group in runtime["action_groups"].values() for name in group if isinstance(name, str)}


def test_an_execution_environment_gets_what_the_collection_uses_there(archive, tmp_path):
    install(archive, tmp_path)
    found = yaml.safe_load(run("ansible-builder", "introspect", tmp_path / "collections"))
    python = {line.partition("  #")[0] for line in found["python"]}
    extras = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    assert python >= {*extras["openstack"], *extras["query"]}
    assert python <= {line for lines in extras.values() for line in lines}
    assert {re.split("[<>=]", line)[0] for line in python} == {
        "apscheduler",
        "bcrypt",
        "cryptography",
        "jmespath",
        "keystoneauth1",
        "openstacksdk",
        "zstandard",
    }
    assert {line.split()[0] for line in found["system"]} == {"openssh-client", "openssh-clients", "tar"}


def test_the_execution_environment_of_the_documentation_can_be_built_from(archive, tmp_path):
    text = (CHECKOUT / "docs/execution-environment.md").read_text(encoding="utf-8")
    definition = (
        text.partition("```yaml\n")[2].partition("```")[0].replace("/path/to/freezer-backup-1.0.0.tar.gz", str(archive))
    )
    (tmp_path / "execution-environment.yml").write_text(definition)
    context = ("--context", tmp_path / "context", "--output-filename", "Containerfile")
    run("ansible-builder", "create", "--file", tmp_path / "execution-environment.yml", *context)
    assert "FROM" in (tmp_path / "context/Containerfile").read_text()
    assert str(archive) in (tmp_path / "context/_build/requirements.yml").read_text()


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder of a virtual environment with the wheel and nothing else."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    run(COMMANDS / "pip", "--python", folder / "bin/python", "install", "--quiet", "--no-deps", "--no-index", wheel)
    return folder


def test_an_installed_wheel_has_manual_pages_where_man_looks(installed):
    pages = {path.name for path in (installed / "share/man/man1").iterdir()}
    assert pages == {f"{path.name}.1" for path in (installed / "bin").glob("freezer*")}


def test_an_installed_wheel_has_commands_that_run_without_the_checkout(installed):
    # Third-party libraries come from the environment of the tests; Python reads no .pth file there, so that nothing
    # leads to the checkout.
    (libraries,) = (path for path in sys.path if path.startswith(sys.prefix) and path.endswith("/site-packages"))
    for command in ("freezer-api", "freezer-agent", "freezer-manage", "freezer-scheduler", "freezerc"):
        assert "usage" in run(installed / "bin" / command, "--help", PYTHONPATH=libraries).lower()
    where = run(
        installed / "bin/python",
        "-c",
        "import ansible_collections.freezer.backup.plugins.module_utils._engine.agent.agent as agent; print(agent.__file__)",
        PYTHONPATH=libraries,
    )
    assert where.startswith(str(installed))


@pytest.mark.parametrize(
    ("command", "extra", "missing"),
    [
        ("freezer-agent", "agent", "rich, shtab and zstandard are"),
        ("freezer-scheduler", "scheduler", "apscheduler, oslo-config, python-daemon, rich, shtab and zstandard are"),
        ("freezer-api", "api", "bcrypt, elasticsearch, falcon, "),
        ("freezer-manage", "api", "bcrypt, elasticsearch, falcon, "),
    ],
)
def test_a_command_without_its_libraries_says_which_extra_is_missing(installed, command, extra, missing):
    done = subprocess.run(
        [installed / "bin" / command, "--help"],
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"{command}: {missing}")
    assert done.stderr.endswith(f" missing; install freezer-backup[{extra}].\n")
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture(scope="module")
def without_keystoneauth(tmp_path_factory):
    """A folder with all libraries but the one that asks clouds, as they are after an upgrade without dependencies."""
    (libraries,) = (path for path in sys.path if path.startswith(sys.prefix) and path.endswith("/site-packages"))
    folder = tmp_path_factory.mktemp("libraries")
    for path in Path(libraries).iterdir():
        if not path.name.startswith("keystoneauth1"):
            (folder / path.name).symlink_to(path)
    return folder


def test_an_agent_without_the_library_for_clouds_backs_up_where_none_is_asked(
    installed, without_keystoneauth, tmp_path
):
    (tmp_path / "data").mkdir()
    arguments = ["--action", "backup", "-F", tmp_path / "data", "-N", "data"]
    run(
        *(installed / "bin/freezer-agent", *arguments, "--storage", "local", "-C", tmp_path / "backups"),
        PYTHONPATH=str(without_keystoneauth),
    )
    assert list((tmp_path / "backups").iterdir())
    with pytest.raises(AssertionError) as caught:
        run(
            *(installed / "bin/freezer-agent", *arguments, "--storage", "swift", "-C", "backups"),
            PYTHONPATH=str(without_keystoneauth),
            OS_AUTH_URL="http://127.0.0.1:9/v3",
            OS_USERNAME="a",
            OS_PASSWORD="b",
            OS_PROJECT_NAME="p",
        )
    said = " ".join(str(caught.value).split())
    assert "auth_type password needs the Python library keystoneauth1, which" in said
    assert f"python3-keystoneauth1 of the distribution, or with {installed}/bin/python" in said
    assert "Traceback" not in said


def test_the_package_alone_brings_no_library_along():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["dependencies"] == []
    wanted = {extra for extra in project["optional-dependencies"] if extra not in ("all", "dev")}
    assert project["optional-dependencies"]["all"] == [f"freezer-backup[{','.join(sorted(wanted))}]"]
