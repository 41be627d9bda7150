"""For authors of definitions: what is wrong with one, how it looks, and whether it is as it was released."""
