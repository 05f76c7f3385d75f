"""Which change made it wrong: outputs side by side, where they part, and the passes that did it."""
