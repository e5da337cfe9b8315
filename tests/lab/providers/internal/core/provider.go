// Package core stands in for hashicorp/kubernetes: the resources for Namespaces, Secrets and ConfigMaps.
package core

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"tierup.invalid/lab/providers/internal/kubeapi"
)

// Version is the release of the genuine provider whose behaviour is kept.
const Version = "3.2.1"

type stand struct{}

// New makes the provider.
func New() provider.Provider { return &stand{} }

type execModel struct {
	APIVersion types.String `tfsdk:"api_version"`
	Args       types.List   `tfsdk:"args"`
	Command    types.String `tfsdk:"command"`
	Env        types.Map    `tfsdk:"env"`
}

type providerModel struct {
	ClientCertificate    types.String `tfsdk:"client_certificate"`
	ClientKey            types.String `tfsdk:"client_key"`
	ClusterCACertificate types.String `tfsdk:"cluster_ca_certificate"`
	ConfigContext        types.String `tfsdk:"config_context"`
	ConfigPath           types.String `tfsdk:"config_path"`
	Host                 types.String `tfsdk:"host"`
	Insecure             types.Bool   `tfsdk:"insecure"`
	TLSServerName        types.String `tfsdk:"tls_server_name"`
	Token                types.String `tfsdk:"token"`
	Exec                 []execModel  `tfsdk:"exec"`
}

func (*stand) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName, resp.Version = "kubernetes", Version
}

func (*stand) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	text := schema.StringAttribute{Optional: true}
	resp.Schema = schema.Schema{
		Attributes: map[string]schema.Attribute{
			"client_certificate": text, "client_key": text, "cluster_ca_certificate": text, "config_context": text,
			"config_path": text, "host": text, "tls_server_name": text, "token": text,
			"insecure": schema.BoolAttribute{Optional: true},
		},
		Blocks: map[string]schema.Block{
			"exec": schema.ListNestedBlock{NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
				"api_version": schema.StringAttribute{Required: true},
				"args":        schema.ListAttribute{Optional: true, ElementType: types.StringType},
				"command":     schema.StringAttribute{Required: true},
				"env":         schema.MapAttribute{Optional: true, ElementType: types.StringType},
			}}},
		},
	}
}

func (*stand) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var model providerModel
	if resp.Diagnostics.Append(req.Config.Get(ctx, &model)...); resp.Diagnostics.HasError() {
		return
	}
	settings := kubeapi.Settings{
		ConfigPath: model.ConfigPath.ValueString(), Context: model.ConfigContext.ValueString(),
		Host: model.Host.ValueString(), Token: model.Token.ValueString(), CA: model.ClusterCACertificate.ValueString(),
		Cert: model.ClientCertificate.ValueString(), Key: model.ClientKey.ValueString(),
		ServerName: model.TLSServerName.ValueString(), Insecure: model.Insecure.ValueBool(),
	}
	for _, plugin := range model.Exec {
		settings.Exec = &kubeapi.Exec{APIVersion: plugin.APIVersion.ValueString(), Command: plugin.Command.ValueString()}
		resp.Diagnostics.Append(plugin.Args.ElementsAs(ctx, &settings.Exec.Args, false)...)
		resp.Diagnostics.Append(plugin.Env.ElementsAs(ctx, &settings.Exec.Env, false)...)
	}
	settings.FromEnv()
	resp.ResourceData = kubeapi.New(settings)
}

func (*stand) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{newNamespace, newSecret, newConfigMap}
}

func (*stand) DataSources(context.Context) []func() datasource.DataSource { return nil }

// configured is what each resource needs: the client of its provider.
type configured struct{ api *kubeapi.Client }

func (c *configured) Configure(_ context.Context, req resource.ConfigureRequest, _ *resource.ConfigureResponse) {
	if client, ok := req.ProviderData.(*kubeapi.Client); ok {
		c.api = client
	}
}
