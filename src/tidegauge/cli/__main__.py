"""`python -m tidegauge.cli`."""

from tidegauge.cli.group import main

if __name__ == "__main__":
    main()
