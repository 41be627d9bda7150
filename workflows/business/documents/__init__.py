"""Documents that the site writes as PDF."""
