"""Makes what is handed out: wheel, sdist, locked requirements, SBOM and SHA-256 sums. It is not installed itself."""
