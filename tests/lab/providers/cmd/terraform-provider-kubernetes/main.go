// Command terraform-provider-kubernetes stands in for hashicorp/kubernetes in the tests.
package main

import (
	"log"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"

	"tierup.invalid/lab/providers/internal/core"
)

func main() {
	if err := tf5server.Serve("registry.terraform.io/hashicorp/kubernetes", core.Server); err != nil {
		log.Fatal(err)
	}
}
