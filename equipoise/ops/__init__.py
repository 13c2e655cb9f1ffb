"""Lane-wise tensor operations: products, sparse bags, losses, dropout, the LSTM, parameters of many lanes and their gradients."""
