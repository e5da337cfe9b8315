"""`python -m wizard.cli`: the same as `tierup`."""

from wizard.cli import main

main()
