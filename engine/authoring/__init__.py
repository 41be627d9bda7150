"""For authors of definitions: checks, diagrams, READMEs, and whether a definition is as it was released."""
