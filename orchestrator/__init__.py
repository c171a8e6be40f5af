"""What should happen next: batches and items in the ledger, who may create when, and what people are told of it."""
