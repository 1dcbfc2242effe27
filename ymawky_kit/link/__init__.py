"""Object files to an image: who needs whom, where everything goes, the last bits of each address.

>>> image = link([start, number], identifier="hello")

`linker.link` reads as the plan; `resolve`, `layout` and `relocate` are its
three steps.
"""

from ymawky_kit.link.linker import link

__all__ = ["link"]
