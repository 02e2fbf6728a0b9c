"""The service that M5Stack's AX630C modules run out of the box (https://github.com/m5stack/StackFlow), as a client.

JSON over TCP port 10001 or a serial line. Blocking calls, for worker threads.
"""
