"""What all pages share: access, the guard, cookies, headers, errors, request keys, templates."""
