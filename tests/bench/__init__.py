"""Speed and accuracy against peers, on the same frames in the same run (``make bench``)."""
