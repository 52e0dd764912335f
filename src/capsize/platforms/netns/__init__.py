"""Network faults in a network namespace, such as a container's: netem where the kernel has it, else what it has.

On processes that share the machine's own loopback none of this may be used: it would hit everything on it. There
the proxy disturbs single connections instead.
"""

from capsize.platforms.netns.kernel import Kernel, kernel
from capsize.platforms.netns.namespace import Namespace
from capsize.platforms.netns.shape import Shape, plan
from capsize.platforms.netns.shaper import Shaper

__all__ = ["Kernel", "Namespace", "Shape", "Shaper", "kernel", "plan"]
