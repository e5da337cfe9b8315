resource "helm_release" "this" {
  for_each = var.releases

  name             = each.key
  namespace        = each.value.namespace
  create_namespace = each.value.namespace != "kube-system"
  repository       = each.value.repository
  chart            = each.value.chart
  version          = each.value.version
  values           = [yamlencode(try(var.values[each.key], {}))]

  # The provider does not record an install that failed: without this the next run ends with
  # "cannot re-use a name that is still in use".
  upgrade_install = true
  take_ownership  = contains(var.take_ownership, each.key)

  # A CNI on slow disks and a slow line: images alone may take minutes.
  wait        = each.value.wait
  timeout     = 900
  max_history = 3

  lifecycle {
    # It matters for the first install alone; later runs would show a change that is none.
    ignore_changes = [take_ownership]
  }
}
