"""`make bench`: what a request costs, measured against bare Flask in the same run."""
