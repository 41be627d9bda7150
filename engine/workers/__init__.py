"""Heartbeats: what wakes the engine for due timers and for the outbox, on one machine or several."""
