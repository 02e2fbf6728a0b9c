"""`python -m wyoming_units`."""

from wyoming_units.cli import main

main()
