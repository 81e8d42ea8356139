"""The network in NumPy, written from its equations: what the tests compare the notebook with."""
import numpy as np


def numpy_step(weights, x, y, rate=.1):
    """One SGD step in NumPy: return h_1 to h_28, the cost before it, the predictions, and the weights after it."""
    U, W, V, b_hidden, b_V = weights
    n, steps = x.shape[:2]
    h = [np.zeros((n, len(W)))]
    for t in range(steps):
        h.append(np.tanh(x[:, t] @ U + h[-1] @ W + b_hidden))
    mean = sum(h[1:]) / steps
    prob = np.exp(mean @ V + b_V)
    prob /= prob.sum(axis=1, keepdims=True)
    d_scores = (prob - y) / n
    d_U, d_W, d_b, d_h = 0, 0, 0, 0
    for t in reversed(range(steps)):  # back-propagation through time
        d_a = (d_h + d_scores @ V.T / steps) * (1 - h[t + 1] ** 2)
        d_U, d_W, d_b = d_U + x[:, t].T @ d_a, d_W + h[t].T @ d_a, d_b + d_a.sum(axis=0)
        d_h = d_a @ W.T
    gradients = d_U, d_W, mean.T @ d_scores, d_b, d_scores.sum(axis=0)
    stepped = [weight - rate * gradient for weight, gradient in zip(weights, gradients)]
    return h[1:], -np.log(prob[y == 1]).mean(), prob.argmax(axis=1), stepped
