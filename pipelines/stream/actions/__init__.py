"""What people do: window, classify, smooth, label, events, in one chain."""
