"""Who somebody is, and what proves it: logging in, sessions, passwords, guesses, the vault, the staff."""
