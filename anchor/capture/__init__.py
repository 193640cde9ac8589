"""Read what image generators write into their files: prompts, settings, manifests, labels."""
