"""Where incidents are published; one package per backend."""
