"""Pauses: their scopes, their rows, and what they mean to an effect. `engine.operations.pauses` has the acts."""
