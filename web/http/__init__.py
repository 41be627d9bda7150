"""What every page shares: who asks, what is refused, cookies, headers, errors, templates."""
