"""Soundness of definitions: an engine refuses one whose parts do not fit together (`structure`)."""
