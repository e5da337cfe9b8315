"""What is measured rather than tested: time against a floor or a limit."""
