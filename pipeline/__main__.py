"""`python -m pipeline` is `shortlist`."""

from pipeline.cli import main

if __name__ == "__main__":
    main()
