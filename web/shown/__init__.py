"""What several pages show, read and put in words; nothing is decided here."""
