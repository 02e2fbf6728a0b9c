"""Pure audio and text algorithms; imports numpy and nothing of ours but `observe` and `errors`."""
