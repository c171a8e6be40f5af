"""Planning: what would come of a manifest, by simulating admission, renders, looks and archiving on a virtual clock."""

from orchestrator.planning.desk import Learned
from orchestrator.planning.forecast import BudgetStop, Forecast, forecast
from orchestrator.planning.shares import Share
from orchestrator.planning.workload import Kind, Workload

__all__ = ["BudgetStop", "Forecast", "Kind", "Learned", "Share", "Workload", "forecast"]
