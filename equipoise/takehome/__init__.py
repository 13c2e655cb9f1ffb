"""The model to use: train the chosen strategy on all rows, save it, load it, predict with it, and write it as plain PyTorch."""
