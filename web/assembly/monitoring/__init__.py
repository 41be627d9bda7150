"""What machines are told of the site: metrics, traces, readiness."""
