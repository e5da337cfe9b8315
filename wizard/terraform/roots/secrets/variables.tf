variable "kubeconfig_path" {
  description = "The kubeconfig of this machine; never in Git."
  type        = string
}

variable "kubeconfig_context" {
  description = "The context in it; null is its current one."
  type        = string
  default     = null
}

variable "cluster" {
  description = "The name tierup knows this cluster by; every object carries it as the label tierup/cluster."
  type        = string
}

variable "namespaces" {
  description = "Namespaces that must be there before the Secrets. Their labels are Git's (Pod Security) and Flux's, not Terraform's."
  type        = set(string)
}

variable "existing_namespaces" {
  description = "Those of them that exist already: they are recorded, not created. Nothing in them is changed."
  type        = set(string)
  default     = []
}

variable "kept_namespaces" {
  description = "Those that Terraform still records though nothing of it lies in them any more. tierup releases them with the next apply."
  type        = set(string)
  default     = []
}

variable "secrets" {
  description = "What each Secret is, by \"namespace/name\", without its values. `revision` changes whenever they are to be written again; `keys` says which there are."
  type = map(object({
    namespace = string
    name      = string
    type      = optional(string, "Opaque")
    keys      = list(string)
    revision  = number
  }))
  default = {}
}

variable "config_maps" {
  description = "ConfigMaps by \"namespace/name\". Their data is in Terraform's state: nothing secret here."
  type = map(object({
    namespace = string
    name      = string
    data      = map(string)
  }))
  default = {}
}

# Ephemeral, so it is in no state and no plan. Not `sensitive` as well: with both, a plan that is given only some of the
# values shows updates that are none. On a pipe or standard input (-var-file=/dev/stdin), never in a file, -var or TF_VAR_.
variable "secret_data_json" {
  description = "JSON: \"namespace/name\" -> {key = value}."
  type        = string
  ephemeral   = true
  default     = "{}"
}
