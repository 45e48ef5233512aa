# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The command line: every option of the engine has its flag, and nothing unknown is let through."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.action import spec
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.verbs import EXEC_KEYS
from ansible_collections.freezer.backup.plugins.module_utils._engine.version import VERSION
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent import command_line, flags
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.errors import UsageError

CHECKOUT = Path(__file__).resolve().parents[3]
#: Given by [storage:NAME] sections and documents: a list of mappings is no value for a flag.
WITHOUT_FLAG = {"storages"}


def reachable_keys() -> set[str]:
    """Every name that a flag of the command line stands for."""
    return {action.dest for action in command_line.build_parser()._actions}


def test_every_option_of_the_engine_has_a_flag():
    as_switch = {"incremental"}  # the way back from --no-incremental
    assert set(spec.PARSERS) - reachable_keys() - WITHOUT_FLAG == as_switch
    assert command_line.parse_command_line(["--incremental"]) == {"no_incremental": False}


def test_every_flag_is_an_option_of_the_engine_or_the_programs_own():
    own = flags.OWN_KEYS | flags.COMMAND_LINE_KEYS | EXEC_KEYS | {"completion", "help", "version"}
    assert reachable_keys() - own <= set(spec.PARSERS) | set(spec.WITHOUT_EFFECT)


@pytest.mark.parametrize(("alias", "key"), spec.ALIASES.items())
def test_older_spellings_are_understood(alias, key):
    takes_a_value = next(flag.metavar for flag in flags.flags() if flag.name == key)
    words = [f"--{alias.replace('_', '-')}", *(["5"] if takes_a_value else [])]
    assert command_line.parse_command_line(words) == {key: "5" if takes_a_value else True}


@pytest.mark.parametrize("key", sorted(spec.WITHOUT_EFFECT))
def test_what_the_engine_ignores_is_accepted(key):
    assert key in reachable_keys()


@pytest.mark.parametrize("flag", [flag for flag in flags.flags() if flag.choices], ids=lambda flag: flag.name)
def test_the_choices_in_the_help_are_those_of_the_engine(flag):
    for choice in flag.choices:
        assert choice in flags.about(flag), f"--help does not name {choice} for {flag.name}"


def test_short_flags_are_upstreams():
    given = command_line.parse_command_line(
        ["-F", "/a", "-N", "b", "-C", "c", "-M", "1M", "-m", "fs", "-e", "tar", "-q"]
    )
    assert given == {
        "path_to_backup": "/a",
        "backup_name": "b",
        "container": "c",
        "max_segment_size": "1M",
        "mode": "fs",
        "engine_name": "tar",
        "quiet": True,
    }


def test_exclude_can_be_repeated():
    assert command_line.parse_command_line(["--exclude", "*.a", "--exclude=-b"]) == {"exclude": ["*.a", "-b"]}


def test_a_switch_can_be_taken_back():
    assert command_line.parse_command_line(["--no-overwrite", "--one-file-system"]) == {
        "overwrite": False,
        "one_file_system": True,
    }


def test_what_is_not_given_does_not_appear():
    assert command_line.parse_command_line([]) == {}


def test_list_is_another_word_for_info():
    assert command_line.parse_command_line(["-l"]) == command_line.parse_command_line(["--list"]) == {"action": "info"}


def test_the_readmes_shortened_option_works():
    assert command_line.parse_command_line(["--restore-abs-pat", "/x"]) == {"restore_abs_path": "/x"}


def test_an_unknown_option_is_refused_without_its_value():
    for words in (["--ssh-password", "geheim"], ["--ssh-password=geheim"], ["--quiet", "geheim"]):
        with pytest.raises(UsageError) as refused:
            command_line.parse_command_line(words)
        assert "geheim" not in str(refused.value)


def test_a_word_too_many_is_named_by_its_place_and_an_action_is_understood():
    with pytest.raises(UsageError, match=r"^The word after --quiet belongs to no option, so nothing was done"):
        command_line.parse_command_line(["--quiet", "geheim"])
    with pytest.raises(UsageError, match=r"^Word 1 belongs to no option.* Did you mean --action restore\?"):
        command_line.parse_command_line(["restore", "-N", "etc"])


def test_a_mistyped_action_is_answered_with_the_right_one_and_not_repeated():
    with pytest.raises(UsageError, match=r"^Word 1 belongs to no option.* Did you mean --action backup\?") as refused:
        command_line.parse_command_line(["bckup"])
    assert "bckup" not in str(refused.value)
    with pytest.raises(UsageError) as refused:
        command_line.parse_command_line(["geheim"])
    assert "Did you mean" not in str(refused.value)


def test_a_mistyped_option_is_answered_with_the_right_one():
    with pytest.raises(UsageError, match=r"Did you mean --max-level\?"):
        command_line.parse_command_line(["--max-levl", "3"])


def test_a_missing_value_is_one_sentence():
    with pytest.raises(UsageError, match=r"^Argument -N/--backup-name: expected one argument; see "):
        command_line.parse_command_line(["-N"])


def test_the_version_is_the_collections():
    assert f"\nversion: {VERSION}\n" in (CHECKOUT / "galaxy.yml").read_text()


def help_of(capsys, monkeypatch, option, name="freezer-agent"):
    """What an option prints on a terminal of 80 columns, by lines."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.argv", [f"/usr/bin/{name}"])
    with pytest.raises(SystemExit) as ended:
        command_line.parse_command_line([option])
    assert not ended.value.code
    return capsys.readouterr().out.splitlines()


def test_help_is_one_screen_of_what_is_needed_every_day(capsys, monkeypatch):
    lines = help_of(capsys, monkeypatch, "--help")
    assert 24 <= len(lines) <= 41
    assert max(map(len, lines)) <= 80
    assert any("--help-all" in line for line in lines)
    assert not any("--lvm-snapsize" in line for line in lines)


def test_help_all_shows_every_option_in_its_group(capsys, monkeypatch):
    text = "\n".join(help_of(capsys, monkeypatch, "--help-all"))
    for title, members in flags.GROUPS:
        assert f"\n{title}:\n" in text
        for flag in members:
            assert f"--{(flag.spelling or flag.name).replace('_', '-')}" in text


def test_the_older_name_of_the_program_is_what_its_help_says(capsys, monkeypatch):
    text = "\n".join(help_of(capsys, monkeypatch, "--help", name="freezerc"))
    assert text.startswith("usage: freezerc ")
    assert "freezer-agent" not in text
