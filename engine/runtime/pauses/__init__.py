"""What is paused: scopes, the rows that say so, and what that means to an effect. `engine.operations.pauses` acts."""
