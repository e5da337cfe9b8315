package core

import (
	"context"
	"net/http"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"tierup.invalid/lab/providers/internal/kubeapi"
)

type namespaceResource struct{ configured }

func newNamespace() resource.Resource { return &namespaceResource{} }

type namespaceModel struct {
	ID       types.String `tfsdk:"id"`
	Wait     types.Bool   `tfsdk:"wait_for_default_service_account"`
	Metadata types.List   `tfsdk:"metadata"`
	Timeouts types.Object `tfsdk:"timeouts"`
}

type namespaceObject struct {
	Metadata objectMeta `json:"metadata"`
}

func (*namespaceResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "kubernetes_namespace_v1"
}

func (*namespaceResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		Attributes: map[string]schema.Attribute{
			"id":                               idAttribute(),
			"wait_for_default_service_account": schema.BoolAttribute{Optional: true},
		},
		Blocks: map[string]schema.Block{"metadata": metadataBlock(false), "timeouts": timeoutsBlock("delete")},
	}
}

func idAttribute() schema.Attribute {
	return schema.StringAttribute{
		Optional: true, Computed: true,
		PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
	}
}

func timeoutsBlock(name string) schema.Block {
	return schema.SingleNestedBlock{Attributes: map[string]schema.Attribute{name: schema.StringAttribute{Optional: true}}}
}

// limit reads one entry of the timeouts block, a Go duration.
func limit(block types.Object, name string, otherwise time.Duration) time.Duration {
	if block.IsNull() || block.IsUnknown() {
		return otherwise
	}
	if d, err := time.ParseDuration(text(block.Attributes()[name])); err == nil {
		return d
	}
	return otherwise
}

// poll asks until done says so, four times a second.
func poll(ctx context.Context, within time.Duration, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		if finished, err := done(ctx); finished || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
}

func (r *namespaceResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var model namespaceModel
	if resp.Diagnostics.Append(req.Plan.Get(ctx, &model)...); resp.Diagnostics.HasError() {
		return
	}
	var out namespaceObject
	if err := r.api.Do(ctx, http.MethodPost, kubeapi.Path("", "namespaces", ""), kubeapi.JSON, namespaceObject{expand(model.Metadata)}, &out); err != nil {
		resp.Diagnostics.AddError(err.Error(), "")
		return
	}
	model.ID = types.StringValue(out.Metadata.Name)
	model.Metadata = written(model.Metadata, out.Metadata)
	// Written before the wait: an object whose wait fails is in the state, as tainted.
	resp.Diagnostics.Append(resp.State.Set(ctx, &model)...)
	if !model.Wait.ValueBool() {
		return
	}
	err := poll(ctx, 20*time.Minute, func(ctx context.Context) (bool, error) {
		err := r.api.Do(ctx, http.MethodGet, kubeapi.Path(out.Metadata.Name, "serviceaccounts", "default"), "", nil, nil)
		if kubeapi.NotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		resp.Diagnostics.AddError(err.Error(), "")
	}
}

func (r *namespaceResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var model namespaceModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &model)...); resp.Diagnostics.HasError() {
		return
	}
	var out namespaceObject
	err := r.api.Do(ctx, http.MethodGet, kubeapi.Path("", "namespaces", model.ID.ValueString()), "", nil, &out)
	if kubeapi.NotFound(err) {
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		resp.Diagnostics.AddError(err.Error(), "")
		return
	}
	model.Metadata = seen(model.Metadata, out.Metadata)
	resp.Diagnostics.Append(resp.State.Set(ctx, &model)...)
}

func (r *namespaceResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state namespaceModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.Append(req.State.Get(ctx, &state)...); resp.Diagnostics.HasError() {
		return
	}
	var out namespaceObject
	ops := append([]operation{}, metadataPatch(state.Metadata, plan.Metadata)...)
	if err := r.api.Do(ctx, http.MethodPatch, kubeapi.Path("", "namespaces", state.ID.ValueString()), kubeapi.JSONPatch, ops, &out); err != nil {
		resp.Diagnostics.AddError(err.Error(), "")
		return
	}
	plan.Metadata = written(plan.Metadata, out.Metadata)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

func (r *namespaceResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var model namespaceModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &model)...); resp.Diagnostics.HasError() {
		return
	}
	address := kubeapi.Path("", "namespaces", model.ID.ValueString())
	err := r.api.Do(ctx, http.MethodDelete, address, "", nil, nil)
	if err == nil {
		err = poll(ctx, limit(model.Timeouts, "delete", 5*time.Minute), func(ctx context.Context) (bool, error) {
			err := r.api.Do(ctx, http.MethodGet, address, "", nil, nil)
			if kubeapi.NotFound(err) {
				return true, nil
			}
			return false, err
		})
	}
	if err != nil && !kubeapi.NotFound(err) {
		resp.Diagnostics.AddError(err.Error(), "")
	}
}

func (*namespaceResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), req.ID)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("metadata"), blankMetadata(false))...)
}
