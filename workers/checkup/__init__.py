"""Looking at everything that a night needs, one part at a time: what is right, what is not, and what mends it.

Nothing here creates what costs money, and nothing raises for what it finds.
"""

from workers.checkup.claims import Claims, claims_of
from workers.checkup.finding import Finding, Status, failed, fine, warning

__all__ = ["Claims", "Finding", "Status", "claims_of", "failed", "fine", "warning"]
