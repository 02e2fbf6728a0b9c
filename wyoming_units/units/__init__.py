"""Units: the protocol between wire and engine, one module each."""
