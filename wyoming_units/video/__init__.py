"""Opens cameras: which addresses may be opened, and the newest picture of each."""
