"""What plugins of the business meet: the hooks, and the shapes that pass through them."""
