"""The figures that we promise, each beside its floor in the same run. `make bench`."""
