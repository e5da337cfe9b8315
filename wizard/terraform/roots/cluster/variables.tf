variable "kubeconfig_path" {
  description = "The kubeconfig of this machine; never in Git."
  type        = string
}

variable "kubeconfig_context" {
  description = "The context in it; null is its current one."
  type        = string
  default     = null
}

variable "releases" {
  description = "The Helm releases, by name. `repository` is a Helm repository's URL or oci:// and the path without the chart."
  type = map(object({
    namespace  = string
    repository = string
    chart      = string
    version    = string
    wait       = optional(bool, true)
  }))
  default = {}
}

variable "values" {
  description = "The values of each release, by its name."
  type        = any
  default     = {}
}

variable "take_ownership" {
  description = "Releases whose objects run already without a Helm release (Cilium put there by other means): the first install makes them its own."
  type        = set(string)
  default     = []
}
