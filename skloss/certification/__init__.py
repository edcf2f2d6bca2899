"""Certificates that a fitted model is at its optimum, by an independent solver."""

from skloss.certification._certify import Certificate, certify
from skloss.certification._registry import register, supported

__all__ = ["Certificate", "certify", "register", "supported"]
