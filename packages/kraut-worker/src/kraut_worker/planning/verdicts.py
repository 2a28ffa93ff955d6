"""Every reason that a Host's conditions can carry, with the sentence that goes with it.

Reasons of connection problems come with their errors (``kraut_core.errors``); these are the planner's own.
"""

REACHABLE = "Reachable"
"""The host answers, shows a trusted key and lets kraut become root."""

DISCOVERING = "Discovering"
"""The host is being asked what it is, for this generation of the spec."""

UPDATING_PACKAGES = "UpdatingPackages"
"""Package updates are being installed."""

REBOOTING = "Rebooting"
"""The host is rebooting."""

WAITING_FOR_BUDGET = "WaitingForBudget"
"""As many hosts as the UpgradePolicy allows are unavailable already."""

WAITING_FOR_WINDOW = "WaitingForMaintenanceWindow"
"""Work is due and its maintenance window is closed."""

STABILIZING = "Stabilizing"
"""The work is done and the host must come up whole, and stay up for minReadySeconds, before the next one may start."""

READ_ONLY = "ReadOnlyFileSystem"
"""/var/lib of the host cannot be written, so nothing can be done to it."""

BACKING_OFF = "BackingOff"
"""The last operation failed and is tried again after a pause."""

RETRYING = "Retrying"
"""The host or the API cannot be asked now; it is asked again soon."""

BACKOFF_LIMIT_EXCEEDED = "BackoffLimitExceeded"
"""Too many operations failed in a row; somebody must look."""

HOST_DID_NOT_RETURN = "HostDidNotReturn"
"""The host was rebooted and has not come back within progressDeadlineSeconds: its state is unknown."""

HOST_IS_CLUSTER_NODE = "HostIsClusterNode"
"""It runs a kubelet, k3s or rke2: only the work of a Cluster that claims it may change it."""

CLAIMED = "ClaimedByCluster"
"""A Cluster owns the host; it alone changes it."""

PAUSED = "Paused"
"""spec.paused: nothing new is started."""

UNSUPPORTED = "UnsupportedOperatingSystem"
"""kraut knows no package manager of this operating system."""

SITE_NOT_SERVED = "SiteNotServed"
"""No worker serves the task queue of the host's site."""

UPGRADE_POLICY_NOT_FOUND = "UpgradePolicyNotFound"
"""upgradePolicyRef names an UpgradePolicy that does not exist."""

UPGRADE_POLICY_FORBIDDEN = "UpgradePolicyForbidden"
"""The API server does not let kraut-worker read the UpgradePolicy that upgradePolicyRef names."""

UPGRADE_POLICY_INVALID = "UpgradePolicyInvalid"
"""The UpgradePolicy that upgradePolicyRef names does not fit this version of kraut."""

UPDATES_PENDING = "UpdatesPending"
"""Updates are pending and the policy does not ask to install them, or their time has not come."""

REBOOT_REQUIRED = "RebootRequired"
"""The host asks for a reboot and the policy does not allow it, or its time has not come."""

NO_UPDATES_PENDING = "NoUpdatesPending"
"""No update is pending and no reboot is due."""

PACKAGES_BROKEN = "PackageDatabaseBroken"
"""dpkg was interrupted or left packages half installed."""

NOT_OBSERVED = "NotObserved"
"""Nothing is known yet, or the host cannot be asked."""
