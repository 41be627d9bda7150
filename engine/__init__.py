"""A durable, declarative state-machine engine.

It knows states, events and time. It knows no customer and no web page: a subject is a string to it, and what a
procedure means is written in `workflows/`.
"""

from engine import moved

moved.modules({"engine.migrate": "engine.store.schema"})
