// Command terraform-provider-helm stands in for hashicorp/helm in the tests.
package main

import (
	"context"
	"log"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"tierup.invalid/lab/providers/internal/release"
)

func main() {
	err := providerserver.Serve(context.Background(), release.New, providerserver.ServeOpts{
		Address: "registry.terraform.io/hashicorp/helm", ProtocolVersion: 6,
	})
	if err != nil {
		log.Fatal(err)
	}
}
