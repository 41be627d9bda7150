"""`python -m web` is `tetsuzuki`."""

from web.cli import main

main()
