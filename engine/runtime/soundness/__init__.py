"""What no engine runs: definitions whose parts do not fit together. `structure` asks it of whoever makes an engine."""
