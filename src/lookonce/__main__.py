"""`python -m lookonce`: the same as the command `lookonce`."""

from lookonce.cli.app import main

if __name__ == "__main__":
    main()
