"""The estimators, which follow scikit-learn's conventions, and their parameters."""
