"""What several pages show: records and quotes in words. Nothing is decided here."""
