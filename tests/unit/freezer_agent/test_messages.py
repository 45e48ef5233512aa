# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Refusals in the words of what the reader typed: flags at a shell, keys in a file and in a document."""

from __future__ import annotations

import io
import json

import pytest

from ansible_collections.freezer.backup.roles.agent.files.freezer_agent import exit_status
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.main import Run


@pytest.fixture
def refusal(tmp_path, monkeypatch, capsys):
    """The last line and the exit status of a run with a command line, the text of a file and a document."""

    def run(command_line: str = "", file: str | None = None, document: object = None) -> tuple[str, int]:
        words = command_line.split()
        if file is not None:
            (tmp_path / "job.ini").write_text(f"[default]\n{file}")
            words += ["--config", str(tmp_path / "job.ini")]
        if document is not None:
            monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(document)))
            words.append("--stdin")
        status = Run().go(words, exit_status.Signals())
        return capsys.readouterr().err.splitlines()[-1], status

    return run


@pytest.mark.parametrize("place", ["shell", "file", "document"])
def test_a_missing_folder_for_a_container_is_answered_with_what_can_be_typed(refusal, tmp_path, place):
    options = {"path_to_backup": str(tmp_path), "storage": "local", "container": f"{tmp_path}/none/store"}
    options["backup_name"] = "etc"
    if place == "shell":
        said, status = refusal(" ".join(f"--{key.replace('_', '-')}={value}" for key, value in options.items()))
    elif place == "file":
        said, status = refusal(file="".join(f"{key} = {value}\n" for key, value in options.items()))
    else:
        said, status = refusal(document=options)
    # A document cannot have init.
    how = "run freezer-agent on this host once with --init" if place == "document" else "give --init"
    assert said.endswith(f"Is the storage mounted? Make the folder, or {how} to have it made.")
    assert status == exit_status.FAILED


def test_an_option_is_named_as_it_stands_in_the_file_and_as_it_can_be_typed(refusal):
    said, _status = refusal(file="path_to_backup = /etc\ndeadline_seconds = 0\n")
    assert said.startswith("freezer-agent: deadline_seconds has to be above 0")
    said, _status = refusal("--deadline-seconds 0", file="path_to_backup = /etc\n")
    assert said.startswith("freezer-agent: --deadline-seconds has to be above 0")
    said, _status = refusal(
        file="path_to_backup = /etc\nmode = mysql\nbackup_name = x\nstorage = local\ncontainer = /x\n"
    )
    assert said.endswith("give --snapshot.")


@pytest.mark.parametrize(
    ("file", "document", "said"),
    [
        ("path_to_bakup = /etc\n", None, "'path_to_bakup' is not known to this release, so nothing was done. Did you mean path_to_backup?"),
        ("path_to_backup = /etc\nlogfile = /x\n", None, "Did you mean log_file?"),
        ("path_to_backup = /etc\n[storage:a]\nstorage = local\nconatiner = /x\n", None,
         "A storage of this action has the unknown key 'conatiner'. Did you mean container?"),
        (None, {"path_to_backup": "/etc", "max_levl": 2}, "'max_levl' is not known to this release, so nothing was done. Did you mean max_level?"),
        (None, {"action": "exec", "comand": "true"}, "'comand' is not one of an exec, so nothing was done. Did you mean command?"),
        (None, {"path_to_backup": "/etc", "geheim": 1}, "The option 'geheim' is not known to this release, so nothing was done."),
    ],
)  # fmt: skip
def test_a_mistyped_key_of_a_file_or_a_document_is_answered_with_the_right_one(refusal, file, document, said):
    refused, status = refusal("--allow-exec" if document else "", file, document)
    assert refused.endswith(said)
    assert status == exit_status.UNUSABLE
