"""Steps of the plugin's own table."""
