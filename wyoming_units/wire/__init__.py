"""The Wyoming protocol on asyncio streams, with limits; imports no engine."""
