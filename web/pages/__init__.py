"""The pages, one module for each errand. A view parses, calls the engine or a query, and shows."""
