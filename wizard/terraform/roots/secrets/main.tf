locals {
  secret_data = jsondecode(var.secret_data_json)

  labels = {
    "app.kubernetes.io/managed-by" = "tierup"
    "tierup/cluster"               = var.cluster
    # Flux looks at what uses the object at once when it changes, not only at the next interval.
    "reconcile.fluxcd.io/watch" = "Enabled"
  }
}

import {
  for_each = setintersection(var.namespaces, var.existing_namespaces)
  to       = kubernetes_namespace_v1.this[each.key]
  id       = each.key
}

resource "kubernetes_namespace_v1" "this" {
  for_each = setunion(var.namespaces, var.kept_namespaces)

  metadata {
    name = each.key
    labels = {
      "app.kubernetes.io/managed-by" = "tierup"
      "tierup/cluster"               = var.cluster
    }
  }

  lifecycle {
    # Git and Flux label and annotate namespaces too.
    ignore_changes = [metadata[0].labels, metadata[0].annotations]
    # With a namespace goes everything in it, volumes' claims included. One that leaves the plan is released
    # (terraform state rm), never destroyed.
    prevent_destroy = true
  }
}

resource "kubernetes_secret_v1" "this" {
  for_each = var.secrets

  metadata {
    name      = each.value.name
    namespace = try(kubernetes_namespace_v1.this[each.value.namespace].metadata[0].name, each.value.namespace)
    labels    = local.labels
    annotations = {
      # Which keys it has can be checked without reading a value.
      "tierup/keys" = join(",", sort(each.value.keys))
    }
  }

  type = each.value.type
  # {} and not null: the provider refuses to plan with a revision and no data. It writes the data only when the Secret is
  # created or the revision changes, so a plan without the values shows the truth. An apply without them would write an
  # empty Secret: tierup refuses that before it applies.
  data_wo          = try(local.secret_data[each.key], {})
  data_wo_revision = each.value.revision
}

resource "kubernetes_config_map_v1" "this" {
  for_each = var.config_maps

  metadata {
    name      = each.value.name
    namespace = try(kubernetes_namespace_v1.this[each.value.namespace].metadata[0].name, each.value.namespace)
    labels    = local.labels
  }

  data = each.value.data
}
