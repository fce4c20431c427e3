"""Networks in torch, one per file; nothing outside training and export imports them."""
