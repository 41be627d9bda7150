"""The wake-ups of several machines as jobs of Procrastinate: wanted, deferred, taken and done."""
