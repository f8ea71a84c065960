"""FLASC, federated LoRA with sparse communication (arXiv 2406.05233): the part that learns."""
