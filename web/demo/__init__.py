"""What `tetsuzuki demo` shows: invented customers, so that every way through the site can be tried."""
