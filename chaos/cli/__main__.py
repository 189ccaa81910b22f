"""`python -m chaos.cli` is `chaos`; how a run starts its gateway."""

from chaos.cli.main import main

if __name__ == "__main__":
    main()
