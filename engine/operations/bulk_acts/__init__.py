"""Bulk acts: many incidents are retried, skipped or amended with one reason, and the workers of the site carry that on.

**What is chosen is fixed at the beginning.** The commit that begins an act writes down each incident that meets the
criteria, as an item. What becomes an incident later is none of the act.

**Each incident is settled in a commit of its own**, which writes the outcome of the item and the entry of history, as a
single decision does: by whom, when and why, and with the number of the act. So none is settled twice, whoever dies at
what moment, and whoever goes on with it. An incident that somebody else has settled meanwhile is left alone, even where
it is an incident again; one that cannot be settled keeps the reason why, and holds up no other. The disk is flushed
once a slice (`Store.begin`): what a power cut undoes is open again, and is settled then.

**Workers carry an act on** in slices, between two looks at the timers, with a `REST` after each. One worker has it at a
time, by a lease, so that two do not wait for each other; the lease of a worker that died runs out (`LEASE`). An
operator stops an act between two incidents, and resumes it.

The items of an act that has ended are forgotten after `KEPT`; the act keeps their numbers, and histories keep what was
done.
"""

from __future__ import annotations

from engine.operations.bulk_acts.acts import MOST as MOST
from engine.operations.bulk_acts.acts import begin as begin
from engine.operations.bulk_acts.acts import resume as resume
from engine.operations.bulk_acts.acts import stop as stop
from engine.operations.bulk_acts.carrying_on import KEPT as KEPT
from engine.operations.bulk_acts.carrying_on import LEASE as LEASE
from engine.operations.bulk_acts.carrying_on import REST as REST
from engine.operations.bulk_acts.carrying_on import carry_on as carry_on
from engine.operations.bulk_acts.carrying_on import forget as forget
from engine.operations.bulk_acts.looking import BulkAct as BulkAct
from engine.operations.bulk_acts.looking import Foreseen as Foreseen
from engine.operations.bulk_acts.looking import Item as Item
from engine.operations.bulk_acts.looking import bulk_act as bulk_act
from engine.operations.bulk_acts.looking import bulk_acts as bulk_acts
from engine.operations.bulk_acts.looking import foresee as foresee
from engine.operations.bulk_acts.looking import refused as refused
