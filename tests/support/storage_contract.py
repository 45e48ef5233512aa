# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What every storage has to do. A test module of a storage has a class that inherits from this and makes the storage."""

from __future__ import annotations

import os
import random
import socket

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.errors import (
    ObjectMissing,
    SetBusy,
    StorageError,
)


class StorageContract:
    """Inherit, and give the fixtures ``storage`` and ``same_place``, which is a second object for the same place."""

    def test_an_object_comes_back_as_it_was_written(self, storage, same_place):
        content = random.Random(1).randbytes(3_000_000)
        writer = storage.create("set/1_0/data.000000")
        for start in range(0, len(content), 70_001):
            writer.write(memoryview(content)[start : start + 70_001])
        writer.commit()
        with same_place.open("set/1_0/data.000000") as stream:
            assert stream.read() == content

    def test_a_stream_can_be_read_again_from_the_beginning(self, storage):
        storage.put("set/1_0/x", b"0123456789")
        with storage.open("set/1_0/x") as stream:
            assert stream.read(4) == b"0123"
            stream.seek(0)
            assert stream.read() == b"0123456789"

    def test_any_part_of_an_object_is_read_by_itself(self, storage, same_place):
        content = random.Random(2).randbytes(100_000)
        storage.put("set/1_0/x", content)
        storage.put("set/1_0/empty", b"")
        with same_place.ranges("set/1_0/x") as ranges:
            for begin, size in ((99_990, 100), (0, 1), (5, 70_000), (70_005, 5), (100_000, 1), (3, 0), (0, 200_000)):
                assert ranges.read(begin, size) == content[begin : begin + size]
        with same_place.ranges("set/1_0/empty") as ranges:
            assert ranges.read(0, 1) == b""
        with pytest.raises(ObjectMissing), same_place.ranges("set/1_0/none") as ranges:
            ranges.read(0, 1)

    def test_an_empty_object_is_an_object(self, storage):
        storage.put("set/1_0/empty", b"")
        with storage.open("set/1_0/empty") as stream:
            assert stream.read() == b""
        assert storage.children("set/1_0") == ["empty"]

    def test_an_object_is_not_visible_before_it_is_committed(self, storage, same_place):
        storage.put("set/1_0/first", b"1")
        writer = storage.create("set/1_0/second")
        writer.write(b"half")
        assert same_place.children("set/1_0") == ["first"]
        with pytest.raises(ObjectMissing):
            same_place.open("set/1_0/second")
        writer.commit()
        assert same_place.children("set/1_0") == ["first", "second"]

    def test_a_discarded_object_leaves_nothing(self, storage):
        storage.put("set/1_0/first", b"1")
        writer = storage.create("set/1_0/second")
        writer.write(b"half")
        writer.discard()
        writer.discard()
        assert storage.children("set/1_0") == ["first"]

    @pytest.mark.parametrize("problem", [OSError, KeyboardInterrupt, SystemExit])
    def test_an_object_whose_context_is_left_by_an_error_leaves_nothing(self, storage, problem):
        storage.put("set/1_0/first", b"1")

        def write_half():
            with storage.create("set/1_0/second") as writer:
                writer.write(b"half")
                raise problem

        with pytest.raises(problem):
            write_half()
        assert storage.children("set/1_0") == ["first"]

    def test_discard_after_commit_changes_nothing(self, storage):
        writer = storage.create("set/1_0/x")
        writer.write(b"whole")
        writer.commit()
        writer.discard()
        with storage.open("set/1_0/x") as stream:
            assert stream.read() == b"whole"

    def test_an_object_that_is_written_again_is_replaced_as_a_whole(self, storage):
        storage.put("set/1_0/x", b"a long first version")
        storage.put("set/1_0/x", b"second")
        with storage.open("set/1_0/x") as stream:
            assert stream.read() == b"second"

    def test_a_missing_object_is_told_from_a_failing_storage(self, storage):
        storage.put("set/1_0/x", b"")
        with pytest.raises(ObjectMissing):
            storage.open("set/1_0/y")
        with pytest.raises(ObjectMissing):
            storage.open("no set/1_0/y")

    def test_children_are_the_names_directly_below_a_folder(self, storage):
        for name in ("a_b/2_1/data.000000", "a_b/1_0/data.000000", "a_b/1_0/manifest.json", "c_d/1_0/manifest.json"):
            storage.put(name, b"x")
        assert storage.children("") == ["a_b", "c_d"]
        assert storage.children("a_b") == ["1_0", "2_1"]
        assert storage.children("a_b/1_0") == ["data.000000", "manifest.json"]
        assert storage.children("e_f") == []

    def test_a_container_that_does_not_exist_is_an_error_that_names_it(self, storage):
        with pytest.raises(StorageError) as refused:
            storage.children("")
        assert storage.container in str(refused.value)

    def test_a_folder_is_deleted_with_everything_in_it_and_nothing_else(self, storage):
        for name in ("a_b/1_0/data.000000", "a_b/1_0/manifest.json", "a_b/1_01/x", "a_b/2_1/manifest.json"):
            storage.put(name, b"x")
        storage.delete_folder("a_b/1_0")
        storage.delete_folder("a_b/1_0")
        assert storage.children("a_b") == ["1_01", "2_1"]
        assert storage.children("a_b/1_0") == []

    def test_one_object_is_deleted_and_nothing_else(self, storage, same_place):
        for name in ("a_b/1_0/data.000000", "a_b/1_0/manifest.json"):
            storage.put(name, b"x")
        storage.delete("a_b/1_0/manifest.json")
        assert same_place.children("a_b/1_0") == ["data.000000"]
        for absent in ("a_b/1_0/manifest.json", "a_b/2_0/x", "no/1_0/x", "a_b/1_0/data.000000/x"):
            storage.delete(absent)
        assert same_place.children("a_b/1_0") == ["data.000000"]

    def test_the_size_of_a_folder_counts_all_below_it(self, storage):
        storage.put("a_b/1_0/data.000000", b"x" * 1000)
        storage.put("a_b/1_0/manifest.json", b"y" * 10)
        storage.put("a_b/2_0/data.000000", b"z")
        assert storage.size_of("a_b/1_0") == 1010
        assert storage.size_of("no/1_0") == 0

    def test_only_one_may_hold_a_set(self, storage, same_place):
        with storage.lock("a_b"):
            with pytest.raises(SetBusy) as refused, same_place.lock("a_b"):
                raise AssertionError("held twice")
            assert "a_b" in str(refused.value)
            assert f"(process {os.getpid()} of {socket.gethostname()}, since 20" in str(refused.value)
            with same_place.lock("c_d"):
                pass
        with same_place.lock("a_b"):
            pass

    def test_holding_a_set_shows_nothing_in_it(self, storage):
        with storage.lock("a_b"):
            assert storage.children("a_b") == []

    @pytest.mark.parametrize(
        "name", ["../outside", "/absolute", "a//b", "a/../../b", "a/./b", "", "a/b\0c", ".", "..", "a/"]
    )
    def test_names_that_lead_elsewhere_are_refused(self, storage, name):
        with pytest.raises(StorageError):
            storage.put(name, b"x")
        with pytest.raises(StorageError):
            storage.open(name)

    def test_names_may_hold_spaces_quotes_and_any_bytes(self, storage):
        for name in ('host name_it\'s "x"', "h\u00f6st_n\udcff", "-rf_*"):
            storage.put(f"{name}/1_0/x", name.encode("utf-8", "surrogateescape"))
            with storage.open(f"{name}/1_0/x") as stream:
                assert stream.read() == name.encode("utf-8", "surrogateescape")
            assert name in storage.children("")
