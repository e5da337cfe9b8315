"""Terraform: the roots as shipped, what they are given, the process, its events, its plan in words."""
