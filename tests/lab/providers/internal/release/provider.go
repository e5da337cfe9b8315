// Package release stands in for hashicorp/helm: helm_release, done by a helm program.
package release

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
const Version = "3.1.2"

type stand struct{}

// New makes the provider.
func New() provider.Provider { return &stand{} }

type execModel struct {
	APIVersion types.String `tfsdk:"api_version"`
	Args       types.List   `tfsdk:"args"`
	Command    types.String `tfsdk:"command"`
	Env        types.Map    `tfsdk:"env"`
}

type kubernetesModel struct {
	ClientCertificate    types.String `tfsdk:"client_certificate"`
	ClientKey            types.String `tfsdk:"client_key"`
	ClusterCACertificate types.String `tfsdk:"cluster_ca_certificate"`
	ConfigContext        types.String `tfsdk:"config_context"`
	ConfigPath           types.String `tfsdk:"config_path"`
	Exec                 *execModel   `tfsdk:"exec"`
	Host                 types.String `tfsdk:"host"`
	Insecure             types.Bool   `tfsdk:"insecure"`
	TLSServerName        types.String `tfsdk:"tls_server_name"`
	Token                types.String `tfsdk:"token"`
}

type providerModel struct {
	Kubernetes           *kubernetesModel `tfsdk:"kubernetes"`
	RegistryConfigPath   types.String     `tfsdk:"registry_config_path"`
	RepositoryCache      types.String     `tfsdk:"repository_cache"`
	RepositoryConfigPath types.String     `tfsdk:"repository_config_path"`
}

func (*stand) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName, resp.Version = "helm", Version
}

func (*stand) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	text := schema.StringAttribute{Optional: true}
	resp.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"registry_config_path": text, "repository_cache": text, "repository_config_path": text,
		"kubernetes": schema.SingleNestedAttribute{Optional: true, Attributes: map[string]schema.Attribute{
			"client_certificate": text, "client_key": text, "cluster_ca_certificate": text, "config_context": text,
			"config_path": text, "host": text, "tls_server_name": text, "token": text,
			"insecure": schema.BoolAttribute{Optional: true},
			"exec": schema.SingleNestedAttribute{Optional: true, Attributes: map[string]schema.Attribute{
				"api_version": schema.StringAttribute{Required: true},
				"args":        schema.ListAttribute{Optional: true, ElementType: types.StringType},
				"command":     schema.StringAttribute{Required: true},
				"env":         schema.MapAttribute{Optional: true, ElementType: types.StringType},
			}},
		}},
	}}
}

func (*stand) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var model providerModel
	if resp.Diagnostics.Append(req.Config.Get(ctx, &model)...); resp.Diagnostics.HasError() {
		return
	}
	settings := kubeapi.Settings{}
	if block := model.Kubernetes; block != nil {
		settings = kubeapi.Settings{
			ConfigPath: block.ConfigPath.ValueString(), Context: block.ConfigContext.ValueString(),
			Host: block.Host.ValueString(), Token: block.Token.ValueString(), CA: block.ClusterCACertificate.ValueString(),
			Cert: block.ClientCertificate.ValueString(), Key: block.ClientKey.ValueString(),
			ServerName: block.TLSServerName.ValueString(), Insecure: block.Insecure.ValueBool(),
		}
		if plugin := block.Exec; plugin != nil {
			settings.Exec = &kubeapi.Exec{APIVersion: plugin.APIVersion.ValueString(), Command: plugin.Command.ValueString()}
			resp.Diagnostics.Append(plugin.Args.ElementsAs(ctx, &settings.Exec.Args, false)...)
			resp.Diagnostics.Append(plugin.Env.ElementsAs(ctx, &settings.Exec.Env, false)...)
		}
	}
	settings.FromEnv()
	resp.ResourceData = &helm{
		api:            kubeapi.New(settings),
		registryConfig: model.RegistryConfigPath.ValueString(),
		repositories:   model.RepositoryConfigPath.ValueString(),
		cache:          model.RepositoryCache.ValueString(),
	}
}

func (*stand) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{func() resource.Resource { return &releaseResource{} }}
}

func (*stand) DataSources(context.Context) []func() datasource.DataSource { return nil }
