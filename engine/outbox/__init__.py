"""The outbox: takes the effects of a commit to the plugins that deliver them, at least once (I5)."""
