"""Steps with an extension, one after the other, in a process that dies: by its own hand at a moment of the extension,
or by another's at any moment. Each step that was answered is told by its number, a line each."""

from __future__ import annotations

import os
import signal
import sys

from engine.extension import ExtensionContext, ExtensionEffect
from engine.store.opening import open_database
from tests.kit.extended import Bonus, extended_by, figures, lending, note
from tests.kit.handlers import VISITOR, Handler


class Dying:
    """An extension that kills its process in the `last` step, after its write was sent or before its figures are
    told."""

    def __init__(self, moment: str, last: int) -> None:
        self.moment, self.left = moment, last

    def write(self, context: ExtensionContext) -> None:
        """See `Extension.writes`."""
        note(context)
        self.left -= 1
        if not self.left and self.moment == "write":
            context.records.exists(Bonus, instance=context.instance_id)  # sends what is held back
            os.kill(os.getpid(), signal.SIGKILL)

    def figures(self, context: ExtensionContext) -> dict[str, object]:
        """See `ExtensionEffect.figures`."""
        if not self.left and self.moment == "figures":
            os.kill(os.getpid(), signal.SIGKILL)
        return figures(context)


def main(url: str, moment: str, last: int) -> None:
    """Lend until it dies."""
    dying = Dying(moment, last)
    extension = lending(writes=(dying.write,), effects=(ExtensionEffect("ping", "bonus", dying.figures),))
    engine = extended_by(open_database(url), None, Handler(), bonus=extension).engine
    print("ready", flush=True)
    while True:
        number = engine.start("loan", "device:1", VISITOR).instance_id
        engine.fire(number, "lend", VISITOR)
        os.write(1, f"{number}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
