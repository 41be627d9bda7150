"""`python -m web` is `tetsuzuki`."""

from web.command import main

main()
