# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Words of a command line that are not known, and what was meant by them."""

from __future__ import annotations

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.system.command_lines import parse_arguments
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.meant import closest, did_you_mean
from ansible_collections.freezer.backup.roles.api.files.freezer_api import manage
from ansible_collections.freezer.backup.roles.api.files.freezer_api.config import settings


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--stor", "x"], ""),
        (["--sotre", "x"], "freezer-api: error: unknown option --sotre (did you mean --store?)\n"),
        (["--geheim=x"], "freezer-api: error: unknown option --geheim\n"),
        (["word"], "freezer-api: error: unrecognized arguments: word\n"),
    ],
)
def test_a_mistyped_option_of_freezer_api_is_answered_with_the_right_one(capsys, arguments, said):
    if not said:
        assert parse_arguments(settings.build_parser(), arguments).store == "x"
        return
    with pytest.raises(SystemExit) as ended:
        settings.read_settings(arguments)
    assert (ended.value.code, capsys.readouterr().err.endswith(said)) == (2, True)


def test_a_mistyped_option_of_freezer_manage_is_answered_with_the_right_one(capsys):
    with pytest.raises(SystemExit):
        manage.main(["db", "--frmo", "x", "copy"])
    assert capsys.readouterr().err.endswith("unknown option --frmo (did you mean --from?)\n")
    flags = parse_arguments(manage.build_parser(), ["db", "--from", "x", "copy"], intermixed=True)
    assert (flags.command, flags.source) == (["db", "copy"], "x")


def test_a_word_that_is_like_no_other_is_given_no_meaning():
    assert closest("geheim", ["backup", "restore"]) == did_you_mean("geheim", ["backup"]) == ""
    assert did_you_mean("bckup", ["backup", "restore"]) == " Did you mean backup?"
    assert closest("x" * 10**6, ["backup"]) == ""
