package core

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
)

// Server speaks protocol 5 and says of every metadata block that it stands exactly once: the genuine schema has these bounds, and
// the framework has no way to state them.
func Server() tfprotov5.ProviderServer {
	return bounded{providerserver.NewProtocol5(New())()}
}

type bounded struct{ tfprotov5.ProviderServer }

func (b bounded) GetProviderSchema(ctx context.Context, req *tfprotov5.GetProviderSchemaRequest) (*tfprotov5.GetProviderSchemaResponse, error) {
	resp, err := b.ProviderServer.GetProviderSchema(ctx, req)
	if err != nil || resp == nil {
		return resp, err
	}
	for _, schema := range resp.ResourceSchemas {
		for _, block := range schema.Block.BlockTypes {
			if block.TypeName == "metadata" {
				block.MinItems, block.MaxItems = 1, 1
			}
		}
	}
	return resp, nil
}
