"""Reports: run.json, tables, figures, pages and summaries of a run.

Functions that share their module's name are imported from it: `sfnhw.reports.run_json.run_json`,
`sfnhw.reports.summary.summary`, `sfnhw.reports.overhead.overhead`, `sfnhw.reports.page.page`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sfnhw.reports.figures import FIGURES as FIGURES
    from sfnhw.reports.pareto import pareto_figure as pareto_figure
    from sfnhw.reports.run_folder import check_output_folder as check_output_folder
    from sfnhw.reports.run_folder import load_run_json as load_run_json
    from sfnhw.reports.run_folder import load_view as load_view
    from sfnhw.reports.run_folder import plot as plot
    from sfnhw.reports.run_folder import rebuild_page as rebuild_page
    from sfnhw.reports.run_folder import save_run as save_run
    from sfnhw.reports.summary import summary_html as summary_html
    from sfnhw.reports.view import RunView as RunView
    from sfnhw.reports.view import as_view as as_view

# Loaded on first use: a summary does not pay for Matplotlib.
_PUBLIC = {
    "FIGURES": "figures",
    "RunView": "view",
    "as_view": "view",
    "check_output_folder": "run_folder",
    "load_run_json": "run_folder",
    "load_view": "run_folder",
    "pareto_figure": "pareto",
    "plot": "run_folder",
    "rebuild_page": "run_folder",
    "save_run": "run_folder",
    "summary_html": "summary",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(import_module(f"sfnhw.reports.{_PUBLIC[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'sfnhw.reports' has no attribute {name!r}")
