"""The engine's tables and the one transaction around them, on SQLite and on PostgreSQL with one behaviour (I9)."""
