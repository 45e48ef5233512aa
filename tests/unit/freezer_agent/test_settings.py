# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Where options come from and which one wins."""

from __future__ import annotations

import io
import json
import os
import re

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import OptionError, parse_options
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.command_line import parse_command_line
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.errors import UsageError
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.settings import Settings, read_settings
from ansible_collections.freezer.backup.tests.support.freezer_readmes import PARALLEL_FOLDERS

#: Paths of documents that would be other ones from another folder, by the verb that takes them.
RELATIVE = [
    ("restore", {"restore_abs_path": "new"}),
    ("backup", {"path_to_backup": "~/x"}),
    ("backup", {"lvm_dirmount": "relative", "path_to_backup": "/etc"}),
    ("verify", {"compare_to": "../etc"}),
    ("backup", {"osrc": "openrc"}),
    ("backup", {"storages": [{"storage": "swift", "container": "c", "osrc": "openrc"}]}),
]


@pytest.fixture
def settings(tmp_path):
    """Reads settings from a command line, the text of a file and a document."""

    def read(command_line: str = "", file: str | None = None, document: object = None) -> Settings:
        words = command_line.split()
        if file is not None:
            (tmp_path / "job.ini").write_text(file)
            words += ["--config", str(tmp_path / "job.ini")]
        if document is not None:
            words.append("--stdin")
        return read_settings(parse_command_line(words), io.StringIO(json.dumps(document)))

    return read


def test_without_an_action_it_is_a_backup(settings):
    assert settings("-F /etc") == Settings("backup", {"path_to_backup": "/etc"})


def test_the_example_of_the_readme_means_two_storages(settings):
    options = parse_options(settings(file=PARALLEL_FOLDERS).options)
    assert options.locations() == [("local", "/tmp/backup1/"), ("local", "/tmp/backup2/")]
    assert (options.path_to_backup, options.always_level, options.max_segment_size) == ("/foo/", 2, 67108864)


def test_one_option_in_two_spellings_that_differ_is_refused_on_the_command_line_too(settings):
    with pytest.raises(UsageError, match=r"^The command line gives path_to_backup twice, with different values\.$"):
        settings("--file-to-backup src -F /etc/apt")
    assert settings("--file-to-backup /etc -F /etc").options == {"path_to_backup": "/etc"}
    assert parse_options(settings("--max-segment-size 64M --max-seg-size 67108864").options).max_segment_size == 2**26
    # A script adds what it was called with after its own.
    assert settings("-F /etc -F /srv").options == {"path_to_backup": "/srv"}


#: What an option can have in two spellings: as stands in a document, and as it is read (none: it is refused).
TWICE: list[tuple[dict[str, object], dict[str, object] | None]] = [
    ({"max_level": 6, "max_backup_level": "6"}, {"max_level": 6}),
    ({"hostname": "h", "restore_from_host": False}, {"hostname": "h"}),
    ({"restore_from_host": False, "hostname": "h"}, {"hostname": "h"}),
    ({"max_segment_size": "64M", "max_seg_size": 67108864}, {"max_segment_size": 67108864}),
    ({"no_incremental": "yes", "incremental": False}, {"no_incremental": True}),
    ({"max_level": 6, "max_backup_level": "5"}, None),
    ({"no_incremental": "yes", "incremental": "on"}, None),
    ({"incremental": False, "no-incremental": False}, None),
]


@pytest.mark.parametrize(("document", "read"), TWICE, ids=str)
def test_two_spellings_are_one_option_for_the_agent_where_they_are_for_the_engine(settings, document, read):
    if read is None:
        with pytest.raises(OptionError, match="are one option and ask for different things"):
            parse_options(document)
        with pytest.raises(UsageError, match="twice, with different values"):
            settings(document=document)
    else:
        for options in (parse_options(document), parse_options(settings(document=document).options)):
            assert {key: getattr(options, key) for key in read} == read


def test_the_command_line_wins_over_the_file(settings):
    read = settings("--max-level 3 --action restore --quiet", "[default]\naction=backup\nmax_level=1\nquiet=False\n")
    assert (read.action, read.options, read.quiet) == ("restore", {"max_level": "3"}, True)


def test_the_document_wins_over_the_file_and_loses_to_the_command_line(settings):
    read = settings("--max-level 3", "[default]\nmax_level=1\nalways_level=1\n", {"max_level": 2, "always_level": 2})
    assert read.options == {"max_level": "3", "always_level": 2}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-F /etc --overwrite", "--overwrite is for restore; this is backup, and passes over it."),
        ("-F /etc --command true", "--command is for exec; this is backup, and passes over it."),
        ("--action restore --max-backup-level 2", "--max-level is for backup; this is restore, and passes over it."),
        ("--action exec --command true -F /etc", "--path-to-backup is for backup; this is exec, and passes over it."),
        ("--action verify --keep-last 2 --quiet", "--keep-last is for admin; this is verify, and passes over it."),
    ],
)
def test_what_is_typed_for_another_action_is_told_and_passed_over(settings, line, said):
    assert settings(line).warnings == (said,)
    if "exec" not in settings(line).action:
        parse_options(settings(line).options)
    # What is refused is not said to be passed over.
    assert settings("-F /etc --keep-last 2").warnings == settings("--action restore -F /etc").warnings == ()
    # Beside a document they are the node's, for actions of every kind.
    assert settings(f"--allow-exec {line}", document={}).warnings == ()


@pytest.mark.parametrize(
    "asked",
    [
        "/etc",
        "/var/lib/snapshot-backup/",
        "/run/freezer-backup",
        "/run/freezer-backup/snapshots",
        "/run/freezer-backup/snapshots/../../../etc",
        "/run/freezer-backup/snapshots-of-others/x",
    ],
)
def test_a_document_has_root_mount_nothing_but_where_the_node_says(settings, asked):
    document = {"lvm_srcvol": "/dev/a/b", "lvm_dirmount": asked, "path_to_backup": f"{asked}/app/x"}
    read = settings(document=document)
    point = read.options["lvm_dirmount"]
    assert re.fullmatch("/run/freezer-backup/snapshots/document-[0-9a-f]{16}", point)
    # Older documents give the path in the mounted snapshot.
    assert read.options["path_to_backup"] == f"{point}/app/x"
    (warning,) = read.warnings
    assert (
        f"lvm_dirmount of the document on standard input is not used, and the snapshot is mounted on {point}" in warning
    )
    assert settings(document={**document, "path_to_backup": "/srv"}).options["path_to_backup"] == "/srv"


def test_paths_are_relative_to_the_current_folder_for_the_node_alone(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    typed = settings("-F src --lvm-dirmount mnt/", "[default]\ncompare_to = other\nosrc = rc\n").options
    for name, path in (("path_to_backup", "src"), ("lvm_dirmount", "mnt"), ("compare_to", "other"), ("osrc", "rc")):
        assert typed[name] == f"{tmp_path}/{path}"
    assert settings("-F /etc/../srv/").options == {"path_to_backup": "/etc/../srv/"}
    # It is a volume.
    assert settings("--cinder-vol-id 5 --compare-to vol").options["compare_to"] == "vol"
    for verb, given in RELATIVE:
        with pytest.raises(OptionError, match="has to be an absolute path, and is "):
            parse_options(settings(document=given).options).refuse_for(verb)
    assert settings("-F src", document={"path_to_backup": "other"}).options == {"path_to_backup": f"{tmp_path}/src"}


def test_where_snapshots_are_mounted_can_be_said_below_our_folder_and_by_the_node(settings):
    ours = {"lvm-dirmount": "/run/freezer-backup/snapshots/mine", "path_to_backup": "/srv"}
    read = settings(document=ours)
    assert (read.options["lvm_dirmount"], read.warnings) == ("/run/freezer-backup/snapshots/mine", ())
    for line, file in (("", "[default]\nlvm_dirmount = /var/mine\n"), ("--lvm-dirmount /var/mine", None)):
        read = settings(line, file, {"lvm_dirmount": "/var/mine", "path_to_backup": "/var/mine/app"})
        assert read.options == {"lvm_dirmount": "/var/mine", "path_to_backup": "/var/mine/app"}
        assert read.warnings == ()


@pytest.mark.parametrize(
    "of_node", ["encryption = age", "encrypt_pass_file = /root/pass", "encryption_recipients = age1a"]
)
def test_a_document_does_not_weaken_what_the_node_encrypts_for(settings, of_node):
    document = {
        "path_to_backup": "/srv",
        "encryption": "none",
        "encrypt-pass-file": "/etc/known",
        "encryption_recipients": ["age1thief"],
    }
    read = settings("", f"[default]\n{of_node}\n", document)
    name, _equals, value = of_node.partition(" = ")
    assert {key: read.options.get(key) for key in ("encryption", "encrypt_pass_file", "encryption_recipients")} == {
        "encryption": None,
        "encrypt_pass_file": None,
        "encryption_recipients": None,
        name: value,
    }
    assert [warning.partition(" ")[0] for warning in read.warnings] == [
        "encrypt_pass_file",
        "encryption",
        "encryption_recipients",
    ]
    assert "this node says what its backups are encrypted for" in read.warnings[0]
    assert "thief" not in str(read)
    alone = settings(document=document)
    assert (alone.options["encrypt_pass_file"], alone.warnings) == ("/etc/known", ())


def test_a_document_names_no_key_that_signs_opens_or_is_believed(settings):
    keys = ("identity_file", "signing_key", "trusted_signers", "allow_keys_in_source", "new_pass_file")
    read = settings("--trusted-signers /etc/signers", None, {"path_to_backup": "/srv", **dict.fromkeys(keys, "/tmp/x")})
    assert read.options == {"path_to_backup": "/srv", "trusted_signers": "/etc/signers"}
    assert len(read.warnings) == len(keys)


@pytest.mark.parametrize(
    ("action", "words", "options"),
    [("key", "--key add", {"key": "add"}), ("mount", "--mount-point /mnt", {"mount_point": "/mnt"})],
)
def test_what_a_person_at_the_host_does_is_asked_for_at_a_command_line_only(settings, action, words, options):
    assert settings(f"--action {action} {words} -N etc").options == {**options, "backup_name": "etc"}
    with pytest.raises(UsageError, match=f"An action {action} is done by the command line alone, so nothing was done"):
        settings(document={"action": action, "backup_name": "etc"})


def test_a_cloud_that_is_typed_takes_the_place_of_the_openrc_file_of_a_file(settings):
    file = "[default]\nosrc = /root/openrc\nrestore_from_date = 2026-11-22\n"
    assert settings("--cloud home --backup-id abcd", file).options == {"cloud": "home", "backup_id": "abcd"}
    assert settings("", file, {"cloud": ""}).options["osrc"] == "/root/openrc"
    with pytest.raises(OptionError, match="^osrc cannot be combined with cloud"):
        parse_options(settings("--cloud home --osrc /root/openrc").options)


def test_a_spelling_does_not_decide_who_wins(settings):
    assert settings("-F /b", "[default]\nfile-to-backup = /a\n").options == {"path_to_backup": "/b"}
    assert settings("--src-file /b", "[default]\npath_to_backup = /a\n").options == {"path_to_backup": "/b"}


def test_incremental_and_no_incremental_are_one_option(settings):
    assert settings("--incremental", "[default]\nno_incremental = True\n").options == {"no_incremental": False}
    assert settings("--no-incremental", "[default]\nincremental = true\n").options == {"no_incremental": True}
    assert settings("", "[default]\nincremental = false\n").options == {"no_incremental": True}


def test_a_container_on_the_command_line_is_meant_alone(settings):
    options = parse_options(settings("--container /tmp/one", PARALLEL_FOLDERS).options)
    assert options.locations() == [("local", "/tmp/one")]


def test_storages_of_a_document_replace_those_of_the_file(settings):
    storages = [{"storage": "local", "container": "/tmp/three"}]
    read = settings("", PARALLEL_FOLDERS, {"storages": storages})
    assert read.options["storages"] == storages


@pytest.mark.parametrize("section", ["default", "DEFAULT", "action"])
def test_keys_may_be_spelled_with_hyphens_and_stand_in_any_main_section(settings, section):
    assert settings("", f"[{section}]\nbackup-name = etc\n").options == {"backup_name": "etc"}


def test_upstreams_schedulers_words_for_nothing_are_understood(settings):
    file = "[action]\nbackup_name = etc\nhostname = False\nexclude = None\noverwrite = True\n"
    read = settings("", file).options
    assert read == {"backup_name": "etc", "hostname": False, "overwrite": True}
    assert parse_options(read).hostname is None


def test_several_patterns_stand_on_several_lines(settings):
    read = settings("", "[default]\nexclude =\n  *.lock\n  *.tmp\nbackup_name = etc\n")
    assert read.options == {"exclude": ["*.lock", "*.tmp"], "backup_name": "etc"}


def test_a_percent_sign_is_only_a_percent_sign(settings):
    assert settings("", "[default]\nexclude = 100%%(x)s\n").options == {"exclude": "100%%(x)s"}


def test_a_document_is_a_bare_action(settings):
    assert settings(document={"action": "verify", "backup_name": "etc"}) == Settings("verify", {"backup_name": "etc"})


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"freezer_action": {"action": "verify"}, "max_retries": 5}, "has freezer_action; give the bare action, which"),
        ({"action": "backup", "freezer-action": {}}, "has freezer-action; give the bare action"),
        ({"action": "backup", "path_to_backup": {"action": "exec"}}, "below 'path_to_backup', and nothing in an"),
        ({"action": "backup", "exclude": [["a"]]}, "below 'exclude', and nothing in an action nests"),
        ({"storages": [{"storage": "local", "container": {"a": 1}}]}, "below 'storages', and nothing in an"),
        ({"storages": {"storage": "local"}}, "below 'storages', and nothing in an action nests"),
        ({"result_fd": 3}, "has result_fd, which can be given on the command line only"),
        ({"allow-exec": True}, "has allow-exec, which can be given on the command line only"),
        ({"debug": True}, "has debug, which can be given on the command line only"),
    ],
    ids=str,
)
def test_a_document_that_is_more_than_an_action_is_refused(settings, document, sentence):
    with pytest.raises(UsageError, match=r"^The document on standard input has ") as refused:
        settings(document=document)
    assert sentence in str(refused.value)


def test_what_is_the_nodes_to_say_is_not_taken_from_a_document(settings):
    asked = {"log_file": "/tmp/a.log", "quiet": True, "metadata-out": "/tmp/b", "config": "/tmp/c", "insecure": True}
    asked["proxy"] = "http://198.51.100.1:8080"
    read = settings(document={"action": "backup", "backup_name": "etc", **asked})
    assert read == Settings("backup", {"backup_name": "etc"}, warnings=read.warnings)
    assert [sentence.split()[0] for sentence in read.warnings] == [
        "config", "insecure", "log_file", "metadata_out", "proxy", "quiet",
    ]  # fmt: skip
    nothing = {"log_file": "", "quiet": False, "metadata_out": None}
    assert settings(document=nothing) == Settings("backup", {})


@pytest.mark.parametrize("value", [True, "true", "yes", 1])
def test_a_document_does_not_switch_off_the_check_of_the_container(settings, value):
    document = {"action": "backup", "backup_name": "etc", "init": value}
    with pytest.raises(
        UsageError, match="document on standard input has init, so nothing was done: init takes a container"
    ):
        settings(document=document)
    assert "init" not in settings(document={**document, "init": None}).options
    assert settings(document={**document, "init": False}).options["init"] is False
    # The node itself may.
    assert settings("--init", document={"action": "backup"}).options["init"] is True
    assert settings("", "[default]\ninit = true\n", {"action": "backup"}).options["init"] == "true"


def test_the_nodes_own_file_says_where_the_log_is(settings):
    read = settings("--quiet", "[default]\nlog_file = /var/log/agent\n", {"log_file": "/tmp/b", "quiet": False})
    assert (read.log_file, read.quiet) == ("/var/log/agent", True)


@pytest.mark.parametrize("words", ["", "--action exec"])
def test_a_command_from_outside_is_run_only_if_the_caller_allows_it(settings, words):
    document = {"action": "exec", "command": "true"}
    with pytest.raises(UsageError, match=r"^An exec that comes on standard input is run only with --allow-exec; "):
        settings(words, document=document)
    allowed = settings(f"--allow-exec {words}", document=document)
    assert (allowed.action, allowed.options) == ("exec", {"command": "true"})


def test_a_command_of_the_node_itself_needs_no_permission(settings):
    assert settings("--action exec --command true").action == "exec"


def test_what_is_to_go_can_be_said_with_upstreams_names(settings):
    assert settings("--action admin -R 30") == settings("--action admin --remove-older-than 30")
    assert settings("--action admin --remove-from-date 2026-01-01").options == {"remove_before_date": "2026-01-01"}


def test_an_action_that_is_none_is_refused(settings):
    with pytest.raises(
        UsageError,
        match=r"^There is no action 'copy'; use backup, restore, verify, info, list, find, history, diff, admin, exec, key and mount\.$",
    ):
        settings("--action copy")


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("password = geheim\n", r"^Line 1 of .* stands before the first section; begin with \[default\]\.$"),
        ("[default]\nbackup_name = a\ngeheim\n", r"^Line 3 of .* is not of the form: key = value\.$"),
        ("[default]\nmax_level = 1\nmax_level = geheim\n", r"^Line 3 of .* gives max_level a second time\.$"),
        ("[default]\nsrc_file = a\npath-to-backup = geheim\n", r"^The file .* gives path_to_backup twice"),
        ("[defualt]\nmax_level = geheim\n", r"^The section \[defualt\] of .* is not known; use \[default\] and"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence_without_its_content(settings, file, sentence):
    with pytest.raises(UsageError, match=sentence) as refused:
        settings("", file)
    assert "geheim" not in str(refused.value)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(UsageError, match=r"^The file .*none\.ini cannot be read: No such file or directory\.$"):
        read_settings({"config": str(tmp_path / "none.ini")}, io.StringIO())


@pytest.mark.parametrize("text", ["", "geheim", "[1]", "[" * 100_000])
def test_what_is_no_document_is_one_sentence_without_its_content(text):
    with pytest.raises(UsageError, match=r"^What came on standard input is ") as refused:
        read_settings({"stdin": True}, io.StringIO(text))
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize("key", ["osrc", "mysql_conf", "mysql-conf", "postgresql_conf", "mongodb_conf"])
def test_a_file_that_a_configuration_file_names_lies_beside_it(settings, tmp_path, monkeypatch, key):
    monkeypatch.chdir("/")
    name = key.replace("-", "_")
    assert settings(file=f"[default]\n{key} = openrc.osrc\n").options == {name: f"{tmp_path}/openrc.osrc"}
    assert settings(file=f"[default]\n{key} = /root/openrc\n").options == {name: "/root/openrc"}


def test_a_storage_section_names_a_file_beside_the_configuration_file(settings, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    (storage,) = settings(file="[storage:a]\nstorage = swift\ncontainer = c\nosrc = openrc.osrc\n").options["storages"]
    assert storage["osrc"] == f"{tmp_path}/openrc.osrc"


def test_a_file_that_the_command_line_names_lies_in_the_current_folder(settings):
    assert settings("--osrc openrc.osrc").options == {"osrc": os.path.abspath("openrc.osrc")}


@pytest.mark.parametrize(
    "option",
    ["--backup-id", "--restore-from-date", "--hostname", "--restore-from-host", "-N", "-C", "--storage", "--restore-abs-path",
     "--remove-older-than", "--keep-last", "--keep-yearly", "--max-level"],
)  # fmt: skip
def test_an_empty_value_is_refused_on_the_command_line(option):
    with pytest.raises(UsageError, match="^[a-z_]+ is empty, so nothing was done"):
        read_settings(parse_command_line([option, ""]), io.StringIO())


def test_an_empty_value_is_not_given_in_files_and_documents(settings):
    assert settings("--action restore", "[default]\nbackup_id =\n", {"restore_from_date": ""}).options == {}
    empty = read_settings(parse_command_line(["--exclude", "", "--proxy", ""]), io.StringIO())
    assert parse_options(empty.options).proxy == "none"


def test_a_container_is_relative_to_the_current_folder_on_the_command_line_alone(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    typed = settings("-C nas/c9", "[default]\nstorage = local\n").options
    assert parse_options(typed).locations() == [("local", str(tmp_path / "nas" / "c9"))]
    assert settings("-C c9 --storage swift").options["container"] == "c9"
    for given in ({"storage": "local", "container": "nas/c9"}, {"storages": [{"storage": "local", "container": "c9"}]}):
        with pytest.raises(
            OptionError, match="^container has to be the absolute path of a folder for the storage local"
        ):
            parse_options(settings(document=given).options).locations()
