"""From what a commit wants done in the world to the plugin that does it, at least once (I5)."""
