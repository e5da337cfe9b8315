"""How it is done: the engine process, its steps, journal, live state and socket. Knows no product."""
