"""Run `chaos` as `python -m chaos.cli`."""

from chaos.cli.main import main

if __name__ == "__main__":
    main()
