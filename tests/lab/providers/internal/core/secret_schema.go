package core

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/mapplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

const opaque = "Opaque"

type secretModel struct {
	BinaryData           types.Map    `tfsdk:"binary_data"`
	BinaryDataWO         types.Map    `tfsdk:"binary_data_wo"`
	BinaryDataWORevision types.Int64  `tfsdk:"binary_data_wo_revision"`
	Data                 types.Map    `tfsdk:"data"`
	DataWO               types.Map    `tfsdk:"data_wo"`
	DataWORevision       types.Int64  `tfsdk:"data_wo_revision"`
	ID                   types.String `tfsdk:"id"`
	Immutable            types.Bool   `tfsdk:"immutable"`
	Type                 types.String `tfsdk:"type"`
	Wait                 types.Bool   `tfsdk:"wait_for_service_account_token"`
	Metadata             types.List   `tfsdk:"metadata"`
	Timeouts             types.Object `tfsdk:"timeouts"`
}

func (*secretResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		Attributes: map[string]schema.Attribute{
			"binary_data":             schema.MapAttribute{Optional: true, Sensitive: true, ElementType: types.StringType},
			"binary_data_wo":          schema.MapAttribute{Optional: true, WriteOnly: true, ElementType: types.StringType},
			"binary_data_wo_revision": schema.Int64Attribute{Optional: true},
			"data": schema.MapAttribute{
				Optional: true, Computed: true, Sensitive: true, ElementType: types.StringType,
				PlanModifiers: []planmodifier.Map{mapplanmodifier.UseStateForUnknown()},
			},
			"data_wo":          schema.MapAttribute{Optional: true, WriteOnly: true, ElementType: types.StringType},
			"data_wo_revision": schema.Int64Attribute{Optional: true},
			"id":               idAttribute(),
			"immutable":        schema.BoolAttribute{Optional: true},
			"type": schema.StringAttribute{
				Optional: true, PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplaceIf(newType, "", "")},
			},
			"wait_for_service_account_token": schema.BoolAttribute{Optional: true},
		},
		Blocks: map[string]schema.Block{"metadata": metadataBlock(true), "timeouts": timeoutsBlock("create")},
	}
}

// newType tells whether the type changes; none is Opaque, the default of the genuine provider, which cannot be stated in the schema
// without making the attribute computed.
func newType(_ context.Context, req planmodifier.StringRequest, resp *stringplanmodifier.RequiresReplaceIfFuncResponse) {
	was, want := req.StateValue.ValueString(), req.PlanValue.ValueString()
	if was == "" {
		was = opaque
	}
	if want == "" {
		want = opaque
	}
	resp.RequiresReplace = was != want
}

// ValidateConfig refuses what the genuine provider refuses: a revision without its values (null counts as absent, unknown does not),
// and values given in both ways. Values without a revision pass there too, and are then ignored.
func (*secretResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var model secretModel
	if resp.Diagnostics.Append(req.Config.Get(ctx, &model)...); resp.Diagnostics.HasError() {
		return
	}
	check := func(name string, plain, values types.Map, revision types.Int64) {
		wo, number := name+"_wo", name+"_wo_revision"
		if !revision.IsNull() && values.IsNull() {
			resp.Diagnostics.AddAttributeError(path.Root(number), "Missing required argument",
				fmt.Sprintf("%q: all of `%s,%s` must be specified", number, wo, number))
		}
		if !revision.IsNull() && !revision.IsUnknown() && revision.ValueInt64() < 1 {
			resp.Diagnostics.AddAttributeError(path.Root(number),
				fmt.Sprintf("expected %s to be at least (1), got %d", number, revision.ValueInt64()), "")
		}
		if !plain.IsNull() && !values.IsNull() {
			resp.Diagnostics.AddAttributeError(path.Root(wo), "Conflicting configuration arguments",
				fmt.Sprintf("%q: conflicts with %s", wo, name))
		}
	}
	check("data", model.Data, model.DataWO, model.DataWORevision)
	check("binary_data", model.BinaryData, model.BinaryDataWO, model.BinaryDataWORevision)
}
