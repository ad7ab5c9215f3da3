"""Threads, forks, signals and the end of the interpreter, all at once: each case a process of its own."""
