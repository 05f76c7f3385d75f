"""Paddle's training side, in this process: its engines behind one interface, and export from it."""
