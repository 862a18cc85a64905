"""``python -m neurodeploy`` is ``neurodeploy``."""

from neurodeploy.cli import main

if __name__ == "__main__":
    main()
