"""Sizes at which methods change."""

__all__ = ["LARGEST_HESSIAN"]

LARGEST_HESSIAN = 4000  # unknowns whose second derivatives are held at once
