"""``python -m edgecnn``: the command line, wherever the ``edgecnn`` script is not on the path."""

from edgecnn.cli import main

if __name__ == "__main__":
    main()
