variable "kubeconfig_path" {
  description = "The kubeconfig of this machine; never in Git."
  type        = string
}

variable "kubeconfig_context" {
  description = "The context in it; null is its current one."
  type        = string
  default     = null
}

variable "repository" {
  description = "Where the charts flux-operator and flux-instance are read from."
  type        = string
  default     = "oci://ghcr.io/controlplaneio-fluxcd/charts"
}

variable "operator_version" {
  description = "Version of both charts."
  type        = string
  default     = "0.58.1"
}

variable "flux_version" {
  description = "Which Flux the operator installs, a range within what this operator ships."
  type        = string
  default     = "2.9.x"
}

variable "git_url" {
  description = "The homelab repository as the cluster reaches it."
  type        = string
}

variable "git_branch" {
  type    = string
  default = "main"
}

variable "git_path" {
  description = "Folder of this cluster in the repository."
  type        = string
}

variable "git_secret" {
  description = "Secret in flux-system with the read-only credential; empty for a public repository."
  type        = string
  default     = "flux-system"
}

variable "kustomize_workers" {
  description = "How many Kustomizations are worked on at once. At least as many as there are, so that none waits for a worker that waits for it; 50 at most."
  type        = number
  default     = 50

  validation {
    condition     = var.kustomize_workers >= 1 && var.kustomize_workers <= 50
    error_message = "kustomize_workers must be between 1 and 50."
  }
}

variable "helm_workers" {
  description = "How many Helm releases are installed at once."
  type        = number
  default     = 20
}

variable "memory_limit" {
  description = "Memory limit of kustomize-controller and helm-controller with that many workers."
  type        = string
  default     = "1Gi"
}
