"""What the procedures share: records, catalogue, permissions, and what people type."""
