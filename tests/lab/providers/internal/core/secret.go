package core

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"tierup.invalid/lab/providers/internal/kubeapi"
)

type secretResource struct{ configured }

func newSecret() resource.Resource { return &secretResource{} }

// secretObject keeps values as the API has them, in base64: nothing here prints it.
type secretObject struct {
	Metadata  objectMeta        `json:"metadata"`
	Type      string            `json:"type,omitempty"`
	Data      map[string]string `json:"data,omitempty"`
	Immutable *bool             `json:"immutable,omitempty"`
}

func (*secretResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "kubernetes_secret_v1"
}

func (r *secretResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	replaceImmutable(ctx, req, resp, "data", "binary_data")
}

// add puts plain text in base64 into data.
func add(data, plain map[string]string) {
	for key, value := range plain {
		data[key] = base64.StdEncoding.EncodeToString([]byte(value))
	}
}

// addEncoded puts values that are base64 already into data; what is not base64 is refused.
func addEncoded(data, encoded map[string]string) error {
	for key, value := range encoded {
		raw, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		data[key] = base64.StdEncoding.EncodeToString(raw)
	}
	return nil
}

// values picks what a write sends: of each pair the write-only map if its revision says so, else the plain one.
func values(plan, config secretModel, plain, binary bool) (map[string]string, error) {
	data := map[string]string{}
	if plain {
		add(data, texts(config.DataWO)) // write-only values are in the configuration alone
	} else {
		add(data, texts(plan.Data))
	}
	if binary {
		return data, addEncoded(data, texts(config.BinaryDataWO))
	}
	return data, addEncoded(data, texts(plan.BinaryData))
}

func (r *secretResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var model, config secretModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &model)...)
	if resp.Diagnostics.Append(req.Config.Get(ctx, &config)...); resp.Diagnostics.HasError() {
		return
	}
	data, err := values(model, config, model.DataWORevision.ValueInt64() >= 1, model.BinaryDataWORevision.ValueInt64() >= 1)
	if err != nil {
		resp.Diagnostics.AddError(err.Error(), "")
		return
	}
	object := secretObject{Metadata: expand(model.Metadata), Type: model.Type.ValueString(), Data: data, Immutable: model.Immutable.ValueBoolPointer()}
	var out secretObject
	if err := r.api.Do(ctx, http.MethodPost, kubeapi.Path(object.Metadata.Namespace, "secrets", ""), kubeapi.JSON, object, &out); err != nil {
		resp.Diagnostics.AddError(err.Error(), "")
		return
	}
	model.ID = types.StringValue(out.Metadata.Namespace + "/" + out.Metadata.Name)
	model.Metadata = written(model.Metadata, out.Metadata)
	if model.Data.IsUnknown() {
		model.Data = types.MapNull(types.StringType)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &model)...)
	if out.Type != "kubernetes.io/service-account-token" || (!model.Wait.IsNull() && !model.Wait.ValueBool()) {
		return
	}
	err = poll(ctx, limit(model.Timeouts, "create", time.Minute), func(ctx context.Context) (bool, error) {
		var live secretObject
		err := r.api.Do(ctx, http.MethodGet, idAddress(model.ID, "secrets"), "", nil, &live)
		return live.Data["token"] != "", err
	})
	if err != nil {
		resp.Diagnostics.AddError(err.Error(), "")
	}
}

func (r *secretResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var model secretModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &model)...); resp.Diagnostics.HasError() {
		return
	}
	var out secretObject
	err := r.api.Do(ctx, http.MethodGet, idAddress(model.ID, "secrets"), "", nil, &out)
	if kubeapi.NotFound(err) {
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		resp.Diagnostics.AddError(err.Error(), "")
		return
	}
	fresh := fields(model.Metadata)["name"].IsNull() // an import: nothing is known but the id
	model.Metadata = seen(model.Metadata, out.Metadata)
	if fresh || !model.Type.IsNull() {
		model.Type = types.StringValue(out.Type)
	}
	if out.Immutable != nil || model.Immutable.ValueBool() {
		model.Immutable = types.BoolPointerValue(out.Immutable)
	}
	// With a revision the values are not ours to know: reading them would put them into the state.
	if model.DataWORevision.ValueInt64() < 1 && model.BinaryDataWORevision.ValueInt64() < 1 {
		readValues(&model, out.Data)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &model)...)
}

func readValues(model *secretModel, live map[string]string) {
	binary := texts(model.BinaryData)
	if len(binary) > 0 {
		found := map[string]string{}
		for key := range binary {
			found[key] = live[key]
		}
		model.BinaryData = mapValue(found)
	}
	plain := map[string]string{}
	for key, value := range live {
		if _, taken := binary[key]; !taken {
			raw, _ := base64.StdEncoding.DecodeString(value)
			plain[key] = string(raw)
		}
	}
	model.Data = liveMap(model.Data, plain)
}

func mapValue(m map[string]string) types.Map {
	elements := map[string]attr.Value{}
	for key, value := range m {
		elements[key] = types.StringValue(value)
	}
	return types.MapValueMust(types.StringType, elements)
}

// Update writes the values only when a revision or a plain map changed, and then the whole of /data: a key that is only in the
// other map is lost, as with the genuine provider.
func (r *secretResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state, config secretModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.Append(req.Config.Get(ctx, &config)...); resp.Diagnostics.HasError() {
		return
	}
	ops := append([]operation{}, metadataPatch(state.Metadata, plan.Metadata)...)
	plain, binary := !plan.DataWORevision.Equal(state.DataWORevision), !plan.BinaryDataWORevision.Equal(state.BinaryDataWORevision)
	if plain || binary || !plan.Data.Equal(state.Data) || !plan.BinaryData.Equal(state.BinaryData) {
		data, err := values(plan, config, plain, binary)
		if err != nil {
			resp.Diagnostics.AddError(err.Error(), "")
			return
		}
		ops = append(ops, operation{"add", "/data", data})
	}
	if !plan.Immutable.Equal(state.Immutable) {
		ops = append(ops, operation{"add", "/immutable", plan.Immutable.ValueBool()})
	}
	var out secretObject
	if err := r.api.Do(ctx, http.MethodPatch, idAddress(state.ID, "secrets"), kubeapi.JSONPatch, ops, &out); err != nil {
		resp.Diagnostics.AddError("Failed to update secret: "+err.Error(), "")
		return
	}
	plan.Metadata = written(plan.Metadata, out.Metadata)
	if plan.Data.IsUnknown() {
		plan.Data = types.MapNull(types.StringType)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

func (r *secretResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var model secretModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &model)...); resp.Diagnostics.HasError() {
		return
	}
	if err := r.api.Do(ctx, http.MethodDelete, idAddress(model.ID, "secrets"), "", nil, nil); err != nil && !kubeapi.NotFound(err) {
		resp.Diagnostics.AddError(err.Error(), "")
	}
}

func (*secretResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	importNamespaced(ctx, req, resp)
}
