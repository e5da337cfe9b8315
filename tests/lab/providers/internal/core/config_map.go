package core

import (
	"context"
	"net/http"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"tierup.invalid/lab/providers/internal/kubeapi"
)

type configMapResource struct{ configured }

func newConfigMap() resource.Resource { return &configMapResource{} }

type configMapModel struct {
	BinaryData types.Map    `tfsdk:"binary_data"`
	Data       types.Map    `tfsdk:"data"`
	ID         types.String `tfsdk:"id"`
	Immutable  types.Bool   `tfsdk:"immutable"`
	Metadata   types.List   `tfsdk:"metadata"`
}

type configMapObject struct {
	Metadata   objectMeta        `json:"metadata"`
	BinaryData map[string]string `json:"binaryData,omitempty"`
	Data       map[string]string `json:"data,omitempty"`
	Immutable  *bool             `json:"immutable,omitempty"`
}

func (*configMapResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "kubernetes_config_map_v1"
}

func (*configMapResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		Attributes: map[string]schema.Attribute{
			"binary_data": schema.MapAttribute{Optional: true, ElementType: types.StringType},
			"data":        schema.MapAttribute{Optional: true, ElementType: types.StringType},
			"id":          idAttribute(),
			"immutable":   schema.BoolAttribute{Optional: true},
		},
		Blocks: map[string]schema.Block{"metadata": metadataBlock(true)},
	}
}

func (r *configMapResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	replaceImmutable(ctx, req, resp, "data", "binary_data")
}

// replaceImmutable plans a new object when the data of an immutable one, or the mark itself, changes.
func replaceImmutable(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse, maps ...string) {
	if req.State.Raw.IsNull() || req.Plan.Raw.IsNull() {
		return
	}
	var was, want types.Bool
	resp.Diagnostics.Append(req.State.GetAttribute(ctx, path.Root("immutable"), &was)...)
	resp.Diagnostics.Append(req.Plan.GetAttribute(ctx, path.Root("immutable"), &want)...)
	if !was.ValueBool() {
		return
	}
	if !was.Equal(want) {
		resp.RequiresReplace = append(resp.RequiresReplace, path.Root("immutable"))
	}
	for _, name := range maps {
		var before, after types.Map
		resp.Diagnostics.Append(req.State.GetAttribute(ctx, path.Root(name), &before)...)
		resp.Diagnostics.Append(req.Plan.GetAttribute(ctx, path.Root(name), &after)...)
		if !before.Equal(after) {
			resp.RequiresReplace = append(resp.RequiresReplace, path.Root(name))
		}
	}
}

func (r *configMapResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var model configMapModel
	if resp.Diagnostics.Append(req.Plan.Get(ctx, &model)...); resp.Diagnostics.HasError() {
		return
	}
	object := configMapObject{Metadata: expand(model.Metadata), BinaryData: texts(model.BinaryData), Data: texts(model.Data)}
	object.Immutable = model.Immutable.ValueBoolPointer()
	var out configMapObject
	if err := r.api.Do(ctx, http.MethodPost, kubeapi.Path(object.Metadata.Namespace, "configmaps", ""), kubeapi.JSON, object, &out); err != nil {
		resp.Diagnostics.AddError(err.Error(), "")
		return
	}
	model.ID = types.StringValue(out.Metadata.Namespace + "/" + out.Metadata.Name)
	model.Metadata = written(model.Metadata, out.Metadata)
	resp.Diagnostics.Append(resp.State.Set(ctx, &model)...)
}

// idAddress turns an id, NAMESPACE/NAME, into the address of the object.
func idAddress(id types.String, kind string) string {
	namespace, name, _ := strings.Cut(id.ValueString(), "/")
	return kubeapi.Path(namespace, kind, name)
}

func (r *configMapResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var model configMapModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &model)...); resp.Diagnostics.HasError() {
		return
	}
	var out configMapObject
	err := r.api.Do(ctx, http.MethodGet, idAddress(model.ID, "configmaps"), "", nil, &out)
	if kubeapi.NotFound(err) {
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		resp.Diagnostics.AddError(err.Error(), "")
		return
	}
	model.Metadata = seen(model.Metadata, out.Metadata)
	model.Data = liveMap(model.Data, out.Data)
	model.BinaryData = liveMap(model.BinaryData, out.BinaryData)
	if out.Immutable != nil || model.Immutable.ValueBool() {
		model.Immutable = types.BoolPointerValue(out.Immutable)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &model)...)
}

// liveMap is a map as the cluster has it; an absent map is null or {}, whichever it was.
func liveMap(prior types.Map, live map[string]string) types.Map {
	if len(live) == 0 && len(prior.Elements()) == 0 {
		return prior
	}
	return mapValue(live)
}

func (r *configMapResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state configMapModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.Append(req.State.Get(ctx, &state)...); resp.Diagnostics.HasError() {
		return
	}
	ops := append([]operation{}, metadataPatch(state.Metadata, plan.Metadata)...)
	if !plan.BinaryData.Equal(state.BinaryData) {
		ops = append(ops, mapPatch("/binaryData", texts(state.BinaryData), texts(plan.BinaryData))...)
	}
	if !plan.Data.Equal(state.Data) {
		ops = append(ops, mapPatch("/data", texts(state.Data), texts(plan.Data))...)
	}
	if !plan.Immutable.Equal(state.Immutable) {
		ops = append(ops, operation{"add", "/immutable", plan.Immutable.ValueBool()})
	}
	var out configMapObject
	if err := r.api.Do(ctx, http.MethodPatch, idAddress(state.ID, "configmaps"), kubeapi.JSONPatch, ops, &out); err != nil {
		resp.Diagnostics.AddError("Failed to update Config Map: "+err.Error(), "")
		return
	}
	plan.Metadata = written(plan.Metadata, out.Metadata)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

func (r *configMapResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var model configMapModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &model)...); resp.Diagnostics.HasError() {
		return
	}
	if err := r.api.Do(ctx, http.MethodDelete, idAddress(model.ID, "configmaps"), "", nil, nil); err != nil && !kubeapi.NotFound(err) {
		resp.Diagnostics.AddError(err.Error(), "")
	}
}

func (*configMapResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	importNamespaced(ctx, req, resp)
}

func importNamespaced(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	if strings.Count(req.ID, "/") != 1 {
		resp.Diagnostics.AddError("Unexpected ID format (\""+req.ID+"\"), expected \"namespace/name\".", "")
		return
	}
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), req.ID)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("metadata"), blankMetadata(true))...)
}
