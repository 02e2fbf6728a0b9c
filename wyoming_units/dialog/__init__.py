"""Turns over units anywhere on the network; a client, so it uses the wire only."""
