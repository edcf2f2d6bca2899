"""The HTML report: one file that needs nothing else."""

from skloss.compare.report.page import html_fragment, write_report

__all__ = ["html_fragment", "write_report"]
