"""The table of the questions, step by step. A released step is never changed: what comes later is a new one."""
