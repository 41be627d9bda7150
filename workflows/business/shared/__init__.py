"""What several procedures have in common."""
