"""What can be swapped: one folder a plugin, found through entry points like anyone else's. See docs/plugins."""
