locals {
  # Flags are appended: the controllers take the last of two. `size = "small"` sets 5 workers and looks at dependencies every
  # 10 s; every second brings a chart up as soon as what it needs is Ready.
  # A new commit ends the wait for the health of the old one (CancelHealthCheckOnNewRevision).
  controllers = {
    kustomize-controller = var.kustomize_workers
    helm-controller      = var.helm_workers
  }

  patches = [for name, workers in local.controllers : {
    target = { kind = "Deployment", name = name }
    patch = yamlencode(concat(
      [for flag in [
        "--requeue-dependency=1s",
        "--concurrent=${workers}",
        "--feature-gates=CancelHealthCheckOnNewRevision=true",
        ] : {
        op    = "add"
        path  = "/spec/template/spec/containers/0/args/-"
        value = flag
      }],
      [{
        op    = "replace"
        path  = "/spec/template/spec/containers/0/resources/limits/memory"
        value = var.memory_limit
      }],
    ))
  }]
}

resource "helm_release" "flux_operator" {
  name       = "flux-operator"
  namespace  = "flux-system" # made by the root "secrets", with the credential for Git in it
  repository = var.repository
  chart      = "flux-operator"
  version    = var.operator_version

  # The provider does not record an install that failed: without this the next run ends with
  # "cannot re-use a name that is still in use".
  upgrade_install = true
  wait            = true
  timeout         = 600
  max_history     = 3
}

resource "helm_release" "flux_instance" {
  # The operator brings the kind FluxInstance; on destroy it must outlive it to take Flux down.
  depends_on = [helm_release.flux_operator]

  name       = "flux"
  namespace  = "flux-system"
  repository = var.repository
  chart      = "flux-instance"
  version    = var.operator_version

  upgrade_install = true
  # It waits for the FluxInstance to exist, no more: look at its condition Ready.
  wait        = true
  timeout     = 600
  max_history = 3

  values = [yamlencode({
    instance = {
      distribution = {
        version  = var.flux_version
        registry = "ghcr.io/fluxcd"
        # Empty: the manifests inside the operator's image, not the newest ones of the day.
        artifact = ""
      }
      components = ["source-controller", "kustomize-controller", "helm-controller", "notification-controller"]
      cluster = {
        type          = "kubernetes"
        size          = "small"
        networkPolicy = true
        domain        = "cluster.local"
      }
      sync = {
        kind       = "GitRepository"
        url        = var.git_url
        ref        = "refs/heads/${var.git_branch}"
        path       = var.git_path
        pullSecret = var.git_secret
        interval   = "1m"
      }
      kustomize = {
        patches = local.patches
      }
    }
  })]
}
