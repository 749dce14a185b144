"""Arms that experiments share: fine-tuning them, their clips, their paired errors."""
