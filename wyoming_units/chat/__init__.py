"""Pure: what is exchanged with language models, and what is made of their text."""
