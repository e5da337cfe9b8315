# Flux: the operator and the FluxInstance that makes the controllers and follows the repository.
#
# Terraform is the only owner of these two releases. Do not put them into Git as well: Flux and Terraform would undo each
# other's work. Flux's own patch releases come with the operator's version.
# Used by tierup, and usable without it:
#   terraform init -backend-config=config_path=~/.kube/config -backend-config=config_context=NAME
#   terraform apply -var kubeconfig_path=~/.kube/config -var kubeconfig_context=NAME

terraform {
  required_version = ">= 1.11.0"

  required_providers {
    helm = {
      source  = "hashicorp/helm"
      version = ">= 3.1.2, < 4.0.0"
    }
  }

  # The state lives in the cluster it describes: Secret kube-system/tfstate-default-tierup-flux.
  # The path and the context of the kubeconfig are given to `terraform init`: they differ per machine.
  backend "kubernetes" {
    namespace     = "kube-system"
    secret_suffix = "tierup-flux"
  }
}

provider "helm" {
  kubernetes = {
    config_path    = pathexpand(var.kubeconfig_path)
    config_context = var.kubeconfig_context
  }
}
