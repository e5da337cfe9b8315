# What Cilium (and any other chart of the tier "cluster") is installed with, before there is Flux.
#
# Used by tierup, and usable without it:
#   terraform init -backend-config=config_path=~/.kube/config -backend-config=config_context=NAME
#   terraform apply -var kubeconfig_path=~/.kube/config -var kubeconfig_context=NAME
# Everything that is particular to this cluster stands in terraform.tfvars.json beside this file.

terraform {
  required_version = ">= 1.11.0"

  required_providers {
    helm = {
      source  = "hashicorp/helm"
      version = ">= 3.1.2, < 4.0.0"
    }
  }

  # The state lives in the cluster it describes: Secret kube-system/tfstate-default-tierup-cluster.
  # The path and the context of the kubeconfig are given to `terraform init`: they differ per machine.
  backend "kubernetes" {
    namespace     = "kube-system"
    secret_suffix = "tierup-cluster"
  }
}

provider "helm" {
  kubernetes = {
    config_path    = pathexpand(var.kubeconfig_path)
    config_context = var.kubeconfig_context
  }
}
