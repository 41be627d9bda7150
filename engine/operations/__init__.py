"""The views and the acts of operators."""
