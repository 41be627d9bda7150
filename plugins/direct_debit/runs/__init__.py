"""Runs: what is asked of the banks and what they answer, as rows and as files.

`drawing` draws up a run and writes its file, `results` reads what came back, `decisions` is what staff make of it.
`codes` says what follows each result.
"""
