"""Text encoders and the table of embeddings that training reads."""
