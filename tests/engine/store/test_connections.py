"""The pool of connections to PostgreSQL: how it is when connections break, and when there are none left."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from engine.errors import DatabaseAway
from engine.store.opening import open_database
from engine.store.postgres import PostgresDatabase
from tests.kit.databases import close_database
from tests.kit.waiting import PATIENCE


class Relay:
    """Between a client and PostgreSQL. While it `cuts`, a connection ends with its first statement, as behind a pooler
    whose server is away."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        folder = parse_qs(parts.query)["host"][0]
        self._server = str(next(path for path in Path(folder).glob(".s.PGSQL.*") if path.is_socket()))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = (
            f"postgresql://{parts.username or 'postgres'}@127.0.0.1:{self._listening.getsockname()[1]}{parts.path}"
        )
        self.cuts = True
        Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listening.accept()[0]
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                Thread(target=self._pass, args=(client, server), daemon=True).start()
                Thread(target=self._pass, args=(server, client), daemon=True).start()

    def _pass(self, wire: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := wire.recv(65536):
                if self.cuts and b"SET client_encoding" in data:
                    break
                other.sendall(data)
        for end in (wire, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def relay(postgres_url: str) -> Iterator[Relay]:
    made = Relay(postgres_url)
    yield made
    made.close()


def test_connections_that_break_at_once_take_no_place_in_the_pool(relay: Relay) -> None:
    db = open_database(relay.url, pool=2)
    store = db.store()
    for _time in range(3):
        with pytest.raises(DatabaseAway):
            store.now()
    relay.cuts = False
    assert store.now().tzinfo is not None
    close_database(db)


def test_who_finds_no_connection_is_told_that_the_database_is_away(postgres_url: str) -> None:
    db = PostgresDatabase(postgres_url, max_connections=1, timeout=1)
    held, go_on = Event(), Event()

    def hold() -> None:
        db.connection()
        held.set()
        go_on.wait(PATIENCE)
        db.close()

    holder = Thread(target=hold)
    holder.start()
    held.wait(PATIENCE)
    with pytest.raises(DatabaseAway):
        db.store().now()
    go_on.set()
    holder.join()
    assert db.store().now().tzinfo is not None
    close_database(db)
