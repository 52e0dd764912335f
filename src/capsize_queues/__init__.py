"""Small services on eight task queues, each as its library's own guide would have it, to be tested by capsize.

Every one has a gateway, which takes a task over HTTP and hands it to the library, and workers, which are the
library's own. ``python -m capsize_queues gateway|worker NAME`` runs one; ``QUEUE_CONFIG`` is ``default`` (what a
newcomer gets) or ``safe`` (what the library offers against lost work). The task is one of waiting, and its code
knows nothing of capsize: the hooks of ``capsize_witness`` tell what the workers do.
"""
