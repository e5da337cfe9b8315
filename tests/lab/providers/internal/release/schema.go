package release

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// switches are the boolean attributes that are optional and computed, with their defaults.
var switches = map[string]bool{
	"atomic": false, "cleanup_on_fail": false, "create_namespace": false, "dependency_update": false, "disable_crd_hooks": false,
	"disable_openapi_validation": false, "disable_webhooks": false, "force_update": false, "pass_credentials": false,
	"render_subchart_notes": true, "replace": false, "reset_values": false, "reuse_values": false, "skip_crds": false,
	"take_ownership": false, "upgrade_install": false, "verify": false, "wait": true, "wait_for_jobs": false,
}

const (
	defaultTimeout    = 300 // seconds
	defaultMaxHistory = 0   // no limit
)

// described keeps the description of the release when none is given.
type described struct{}

func (described) Description(context.Context) string { return "an empty description changes nothing" }
func (described) MarkdownDescription(context.Context) string {
	return "an empty description changes nothing"
}

func (described) PlanModifyString(_ context.Context, req planmodifier.StringRequest, resp *planmodifier.StringResponse) {
	if req.PlanValue.ValueString() == "" {
		resp.PlanValue = req.StateValue
	}
}

func metadataTypes() map[string]attr.Type {
	fields := map[string]attr.Type{}
	for _, name := range []string{"app_version", "chart", "name", "namespace", "notes", "values", "version"} {
		fields[name] = types.StringType
	}
	for _, name := range []string{"first_deployed", "last_deployed", "revision"} {
		fields[name] = types.Int64Type
	}
	return fields
}

func (*releaseResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	replace := []planmodifier.String{stringplanmodifier.RequiresReplace()}
	texts := schema.ListAttribute{Optional: true, ElementType: types.StringType}
	attributes := map[string]schema.Attribute{
		"chart": schema.StringAttribute{Required: true},
		"description": schema.StringAttribute{
			Optional: true, Computed: true, PlanModifiers: []planmodifier.String{described{}},
		},
		"devel": schema.BoolAttribute{Optional: true},
		"id": schema.StringAttribute{
			Computed: true, PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
		},
		"manifest":    schema.StringAttribute{Computed: true},
		"max_history": schema.Int64Attribute{Optional: true, Computed: true, Default: int64default.StaticInt64(defaultMaxHistory)},
		"metadata":    schema.SingleNestedAttribute{Computed: true, Attributes: metadataAttributes()},
		"name":        schema.StringAttribute{Required: true, PlanModifiers: replace},
		"namespace": schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString("default"), PlanModifiers: replace,
		},
		"resources":       schema.MapAttribute{Computed: true, ElementType: types.StringType},
		"set_wo_revision": schema.Int64Attribute{Optional: true},
		"status":          schema.StringAttribute{Computed: true},
		"timeout":         schema.Int64Attribute{Optional: true, Computed: true, Default: int64default.StaticInt64(defaultTimeout)},
		"timeouts": schema.SingleNestedAttribute{Optional: true, Attributes: map[string]schema.Attribute{
			"create": schema.StringAttribute{Optional: true}, "delete": schema.StringAttribute{Optional: true},
			"read": schema.StringAttribute{Optional: true}, "update": schema.StringAttribute{Optional: true},
		}},
		"values":              texts,
		"version":             schema.StringAttribute{Optional: true, Computed: true},
		"repository_password": schema.StringAttribute{Optional: true, Sensitive: true},
		"set": listOf(false, map[string]schema.Attribute{
			"name":  schema.StringAttribute{Required: true},
			"type":  schema.StringAttribute{Optional: true, Computed: true, Default: stringdefault.StaticString("")},
			"value": schema.StringAttribute{Optional: true},
		}),
		"set_list": listOf(false, map[string]schema.Attribute{
			"name":  schema.StringAttribute{Required: true},
			"value": schema.ListAttribute{Required: true, ElementType: types.StringType},
		}),
		"set_sensitive": listOf(false, map[string]schema.Attribute{
			"name":  schema.StringAttribute{Required: true},
			"type":  schema.StringAttribute{Optional: true},
			"value": schema.StringAttribute{Required: true, Sensitive: true},
		}),
		"set_wo": listOf(true, map[string]schema.Attribute{
			"name":  schema.StringAttribute{Required: true, WriteOnly: true},
			"type":  schema.StringAttribute{Optional: true, WriteOnly: true},
			"value": schema.StringAttribute{Required: true, WriteOnly: true},
		}),
	}
	for _, name := range []string{
		"keyring", "repository", "repository_ca_file", "repository_cert_file", "repository_key_file", "repository_username",
	} {
		attributes[name] = schema.StringAttribute{Optional: true}
	}
	for name, value := range switches {
		attributes[name] = schema.BoolAttribute{Optional: true, Computed: true, Default: booldefault.StaticBool(value)}
	}
	resp.Schema = schema.Schema{Version: 2, Attributes: attributes}
}

func listOf(writeOnly bool, attributes map[string]schema.Attribute) schema.Attribute {
	return schema.ListNestedAttribute{
		Optional: true, WriteOnly: writeOnly, NestedObject: schema.NestedAttributeObject{Attributes: attributes},
	}
}

func metadataAttributes() map[string]schema.Attribute {
	attributes := map[string]schema.Attribute{}
	for name, kind := range metadataTypes() {
		if kind == types.Int64Type {
			attributes[name] = schema.Int64Attribute{Computed: true}
		} else {
			attributes[name] = schema.StringAttribute{Computed: true}
		}
	}
	return attributes
}

// ValidateConfig refuses what the genuine provider's validators refuse.
func (*releaseResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var name types.String
	var revision types.Int64
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("name"), &name)...)
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("set_wo_revision"), &revision)...)
	if !name.IsUnknown() && (len(name.ValueString()) < 1 || len(name.ValueString()) > 53) {
		resp.Diagnostics.AddAttributeError(path.Root("name"), "Invalid Attribute Value Length",
			"Attribute name string length must be between 1 and 53")
	}
	if !revision.IsNull() && !revision.IsUnknown() && revision.ValueInt64() < 1 {
		resp.Diagnostics.AddAttributeError(path.Root("set_wo_revision"), "Invalid Attribute Value",
			"Attribute set_wo_revision value must be at least 1")
	}
}
