# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""How much may wait for slow clients."""

from __future__ import annotations

from ansible_collections.freezer.backup.roles.api.files.freezer_api.serving.room import Holder, Room

MIB = 1_048_576


class Client(Holder):
    """Holds what it is told to hold."""

    def __init__(self, since, held_bytes):
        self.since = since
        self.held = held_bytes
        self.is_given_up = False

    @property
    def held_bytes(self):
        return self.held

    def give_up(self):
        self.held = 0
        self.is_given_up = True


def a_room(now=100.0):
    return Room(10 * MIB, 5.0, clock=lambda: now)


def test_small_things_have_room_whatever_waits():
    room = a_room()
    assert not room.has(Client(99.0, 11 * MIB))
    assert room.has(Client(99.0, 1000), 1000)


def test_there_is_room_until_all_is_taken():
    room = a_room()
    assert all(room.has(Client(99.0, MIB)) for _ in range(10))
    assert not room.has(Client(99.0, MIB))


def test_those_that_have_waited_longest_make_room():
    room = a_room()
    clients = [Client(float(since), 2 * MIB) for since in (99, 90, 80, 98, 97)]
    assert all(room.has(client) for client in clients)
    assert room.has(Client(100.0, 0), 3 * MIB)
    assert [client.is_given_up for client in clients] == [False, True, True, False, False]


def test_for_a_while_everybody_may_wait():
    room = a_room()
    clients = [Client(96.0, 5 * MIB) for _ in range(2)]
    assert all(room.has(client) for client in clients)
    assert not room.has(Client(100.0, 0), MIB)
    assert not any(client.is_given_up for client in clients)


def test_room_comes_back_when_clients_take_what_waits_or_leave():
    room = a_room()
    first, second = Client(99.0, 5 * MIB), Client(99.0, 5 * MIB)
    assert room.has(first)
    assert room.has(second)
    third = Client(99.0, 4 * MIB)
    assert not room.has(third)
    first.held = 0
    assert room.has(third)
    room.left(second)
    assert room.has(Client(99.0, 6 * MIB))
