# The Secrets and ConfigMaps that Git never sees, and the namespaces they need to lie in.
#
# Used by tierup, and usable without it: give the values of the Secrets as one JSON text in the ephemeral variable
# `secret_data_json`. Terraform then writes them to the cluster and nowhere else: neither state nor plan hold them.
#   terraform init -backend-config=config_path=~/.kube/config -backend-config=config_context=NAME
#   terraform apply -var kubeconfig_path=~/.kube/config -var-file=/dev/stdin <<< 'secret_data_json = "{\"ns/name\": {\"key\": \"value\"}}"'
# Never set TF_LOG here: the provider writes values into its log.

terraform {
  required_version = ">= 1.11.0"

  required_providers {
    kubernetes = {
      source = "hashicorp/kubernetes"
      # 3.2.1 is the first 3.x whose data_wo works ("Missing Resource Identity After Create" before).
      version = ">= 3.2.1, < 4.0.0"
    }
  }

  # The state lives in the cluster it describes: Secret kube-system/tfstate-default-tierup-secrets.
  # The path and the context of the kubeconfig are given to `terraform init`: they differ per machine.
  backend "kubernetes" {
    namespace     = "kube-system"
    secret_suffix = "tierup-secrets"
  }
}

provider "kubernetes" {
  config_path    = pathexpand(var.kubeconfig_path)
  config_context = var.kubeconfig_context
}
