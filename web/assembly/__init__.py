"""The one place that puts the parts together: settings, keys, logs, monitoring, and the assembled site."""
