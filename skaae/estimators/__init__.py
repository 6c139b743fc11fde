"""The estimators: scikit-learn's contract, and what their parameters mean."""
