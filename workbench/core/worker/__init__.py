"""The other side of the process boundary. Runs on Python 3.8 with numpy and Paddle alone, nothing of ours.

The kernel's side imports `wire` from here, so both ends speak from one text.
"""
