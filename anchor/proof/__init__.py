"""The proof file and the policy: parsed, not believed."""
