"""Pauses: an operator halts an instance, a version of a workflow or a channel, and lets it go on, each in one commit.

**While an instance or its version is paused nothing steps it**: events, starts, due timers and the `done` of an effect
are refused or wait. Operators may still act: they migrate, and settle incidents. Its effects are not delivered; a
delivery that is under way when the pause comes is recorded as delivered, and its `done` is fired after resuming. While
a channel is paused (a kind of effects, or that kind to one recipient) instances go on, and their effects wait.

**No step comes after a pause.** A step locks the instance's row, and shares the lock of its version; an act that pauses
holds one of the two exclusively before it records the pause. A step reads the pauses once it has its locks
(`Store.open`), so it is either before the pause or refused.

**Nothing polls what is paused.** The times at which timers and effects are to be looked at are put off to `NEVER`, and
the commit that resumes brings them forward. That is done right after the pause, in pieces, and again for whatever turns
up meanwhile: when it is about to be fired or delivered.

**What a pause means to time.** A timer that `runs` keeps its due time, and fires on resuming, counted from there as any
late one. For a timer that `stands` the pause does not count: resuming puts its due time off by the length of the pause,
and the new time is sealed in an entry of the instance's history. One that was due before the pause is late, and stands
no longer. The patience of an effect does not pass while it is paused (`time_paused`).

Pauses and their ends are rows of one table, which is never emptied: when, by which actor and why. Those of an instance
are entries of its history as well, under its seal; the others are not sealed.
"""

from __future__ import annotations

from engine.operations.pauses.acts import PAUSE_EVENT as PAUSE_EVENT
from engine.operations.pauses.acts import channels as channels
from engine.operations.pauses.acts import pause as pause
from engine.operations.pauses.acts import resume as resume
from engine.operations.pauses.looking import paused as paused
from engine.operations.pauses.looking import pauses as pauses
from engine.operations.pauses.looking import pauses_of as pauses_of
from engine.operations.pauses.looking import what_resumes as what_resumes
from engine.operations.pauses.standing import RESUME_EVENT as RESUME_EVENT
from engine.runtime.pauses.halting import covered as covered
from engine.runtime.pauses.halting import give_back as give_back
from engine.runtime.pauses.halting import halting as halting
from engine.runtime.pauses.halting import put_off as put_off
from engine.runtime.pauses.halting import time_paused as time_paused
from engine.runtime.pauses.rows import COUNT as COUNT
from engine.runtime.pauses.rows import COUNTED as COUNTED
from engine.runtime.pauses.rows import open_pause as open_pause
from engine.runtime.pauses.scopes import KINDS as KINDS
from engine.runtime.pauses.scopes import DueTimer as DueTimer
from engine.runtime.pauses.scopes import OneChannel as OneChannel
from engine.runtime.pauses.scopes import OneInstance as OneInstance
from engine.runtime.pauses.scopes import OneVersion as OneVersion
from engine.runtime.pauses.scopes import Pause as Pause
from engine.runtime.pauses.scopes import Resuming as Resuming
from engine.runtime.pauses.scopes import Scope as Scope
from engine.runtime.pauses.scopes import WaitingEffect as WaitingEffect
