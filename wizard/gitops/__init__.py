"""A plan's files in a homelab repository: rendered, merged with what people changed by hand, pushed."""
