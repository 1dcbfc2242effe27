"""A processor, its memory, and a program in them; no operating system.

Read in this order: memory (pages shared with the host), engine and cpu (Unicorn),
native (exact counting), loader (a Mach-O in memory), machine (run, step, call).
"""
