"""Pure image algorithms: arrays in, plain dataclasses out."""
