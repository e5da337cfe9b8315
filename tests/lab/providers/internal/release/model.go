package release

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

type releaseModel struct {
	Atomic                   types.Bool   `tfsdk:"atomic"`
	Chart                    types.String `tfsdk:"chart"`
	CleanupOnFail            types.Bool   `tfsdk:"cleanup_on_fail"`
	CreateNamespace          types.Bool   `tfsdk:"create_namespace"`
	DependencyUpdate         types.Bool   `tfsdk:"dependency_update"`
	Description              types.String `tfsdk:"description"`
	Devel                    types.Bool   `tfsdk:"devel"`
	DisableCRDHooks          types.Bool   `tfsdk:"disable_crd_hooks"`
	DisableOpenAPIValidation types.Bool   `tfsdk:"disable_openapi_validation"`
	DisableWebhooks          types.Bool   `tfsdk:"disable_webhooks"`
	ForceUpdate              types.Bool   `tfsdk:"force_update"`
	ID                       types.String `tfsdk:"id"`
	Keyring                  types.String `tfsdk:"keyring"`
	Manifest                 types.String `tfsdk:"manifest"`
	MaxHistory               types.Int64  `tfsdk:"max_history"`
	Metadata                 types.Object `tfsdk:"metadata"`
	Name                     types.String `tfsdk:"name"`
	Namespace                types.String `tfsdk:"namespace"`
	PassCredentials          types.Bool   `tfsdk:"pass_credentials"`
	RenderSubchartNotes      types.Bool   `tfsdk:"render_subchart_notes"`
	Replace                  types.Bool   `tfsdk:"replace"`
	Repository               types.String `tfsdk:"repository"`
	RepositoryCAFile         types.String `tfsdk:"repository_ca_file"`
	RepositoryCertFile       types.String `tfsdk:"repository_cert_file"`
	RepositoryKeyFile        types.String `tfsdk:"repository_key_file"`
	RepositoryPassword       types.String `tfsdk:"repository_password"`
	RepositoryUsername       types.String `tfsdk:"repository_username"`
	ResetValues              types.Bool   `tfsdk:"reset_values"`
	Resources                types.Map    `tfsdk:"resources"`
	ReuseValues              types.Bool   `tfsdk:"reuse_values"`
	Set                      types.List   `tfsdk:"set"`
	SetList                  types.List   `tfsdk:"set_list"`
	SetSensitive             types.List   `tfsdk:"set_sensitive"`
	SetWO                    types.List   `tfsdk:"set_wo"`
	SetWORevision            types.Int64  `tfsdk:"set_wo_revision"`
	SkipCRDs                 types.Bool   `tfsdk:"skip_crds"`
	Status                   types.String `tfsdk:"status"`
	TakeOwnership            types.Bool   `tfsdk:"take_ownership"`
	Timeout                  types.Int64  `tfsdk:"timeout"`
	Timeouts                 types.Object `tfsdk:"timeouts"`
	UpgradeInstall           types.Bool   `tfsdk:"upgrade_install"`
	Values                   types.List   `tfsdk:"values"`
	Verify                   types.Bool   `tfsdk:"verify"`
	Version                  types.String `tfsdk:"version"`
	Wait                     types.Bool   `tfsdk:"wait"`
	WaitForJobs              types.Bool   `tfsdk:"wait_for_jobs"`
}

// same compares versions as the genuine provider does, a leading v aside.
func same(a, b string) bool { return strings.TrimPrefix(a, "v") == strings.TrimPrefix(b, "v") }

// show puts what the cluster has of the release into the model. The manifest stays out of the state: it holds the chart's Secrets.
func (m *releaseModel) show(release *stored) error {
	m.ID, m.Name, m.Namespace = types.StringValue(release.Name), types.StringValue(release.Name), types.StringValue(release.Namespace)
	m.Status = types.StringValue(release.Info.Status)
	m.Manifest, m.Resources = types.StringNull(), types.MapNull(types.StringType)
	if chart := release.Chart.Metadata; !same(chart.Version, m.Version.ValueString()) {
		m.Version = types.StringValue(chart.Version)
	}
	values := "{}"
	// Which values came by set_wo cannot be told from the release, so none are shown.
	if m.SetWORevision.ValueInt64() < 1 && release.Config != nil {
		var hidden []setModel
		m.SetSensitive.ElementsAs(context.Background(), &hidden, false)
		for _, item := range hidden {
			cloak(release.Config, split(item.Name.ValueString(), '.'))
		}
		text, err := json.Marshal(release.Config)
		if err != nil {
			return err
		}
		values = string(text)
	}
	m.Metadata = types.ObjectValueMust(metadataTypes(), map[string]attr.Value{
		"app_version":    types.StringValue(release.Chart.Metadata.AppVersion),
		"chart":          types.StringValue(release.Chart.Metadata.Name),
		"name":           types.StringValue(release.Name),
		"namespace":      types.StringValue(release.Namespace),
		"notes":          types.StringValue(release.Info.Notes),
		"values":         types.StringValue(values),
		"version":        types.StringValue(release.Chart.Metadata.Version),
		"first_deployed": types.Int64Value(release.Info.FirstDeployed.Unix()),
		"last_deployed":  types.Int64Value(release.Info.LastDeployed.Unix()),
		"revision":       types.Int64Value(release.Version),
	})
	return nil
}

func cloak(table map[string]any, names []string) {
	last := len(names) - 1
	for _, name := range names[:last] {
		below, ok := table[name].(map[string]any)
		if !ok {
			return
		}
		table = below
	}
	table[names[last]] = "(sensitive value)"
}
