"""The cluster as the API server tells of it: kubeconfig, requests, live copies, what is found, and the lock in it."""

from wizard.cluster.api import Api
from wizard.cluster.apierror import ApiError, FieldConflict
from wizard.cluster.connect import connect
from wizard.cluster.freshness import Freshness
from wizard.cluster.lease import Lease, holder_name
from wizard.cluster.probe import probe
from wizard.cluster.reflector import Reflector
from wizard.cluster.resources import resource_path

__all__ = ["Api", "ApiError", "FieldConflict", "Freshness", "Lease", "Reflector", "connect", "holder_name", "probe", "resource_path"]
