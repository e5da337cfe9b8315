package release

import (
	"context"
	"net/url"
	"os"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"sigs.k8s.io/yaml"
)

// location is the reference helm takes for the chart and the flags that say where it is.
func (m *releaseModel) location() (string, []string) {
	chart, repository := strings.TrimSpace(m.Chart.ValueString()), m.Repository.ValueString()
	args := []string{}
	switch {
	case strings.HasPrefix(repository, "oci://"):
		chart = strings.TrimSuffix(repository, "/") + "/" + chart
	case repository != "":
		if _, err := url.ParseRequestURI(repository); err == nil {
			args = append(args, "--repo", repository)
		} else if !strings.Contains(chart, "/") {
			chart = repository + "/" + chart
		}
	}
	if registry, err := url.Parse(chart); err == nil && registry.Scheme == "oci" {
		switch registry.Hostname() {
		case "127.0.0.1", "localhost", "::1": // the lab's registry has no certificate
			args = append(args, "--plain-http")
		}
	}
	if !m.pathOrAddress(chart) {
		switch version := strings.TrimSpace(m.Version.ValueString()); {
		case version != "":
			args = append(args, "--version", version)
		case m.Devel.ValueBool():
			args = append(args, "--version", ">0.0.0-0")
		}
	}
	for _, flag := range []struct {
		name  string
		value types.String
	}{
		{"--ca-file", m.RepositoryCAFile}, {"--cert-file", m.RepositoryCertFile}, {"--key-file", m.RepositoryKeyFile},
		{"--username", m.RepositoryUsername}, {"--password", m.RepositoryPassword}, {"--keyring", m.Keyring},
	} {
		if flag.value.ValueString() != "" {
			args = append(args, flag.name, flag.value.ValueString())
		}
	}
	args = switched(args, "--pass-credentials", m.PassCredentials)
	return chart, switched(args, "--verify", m.Verify)
}

// pathOrAddress tells whether the chart itself says which version it is.
func (m *releaseModel) pathOrAddress(chart string) bool {
	if address, err := url.ParseRequestURI(chart); err == nil && address.Scheme != "oci" {
		return true
	}
	_, err := os.Stat(chart)
	return err == nil
}

func switched(args []string, flag string, value types.Bool) []string {
	if value.ValueBool() {
		return append(args, flag)
	}
	return args
}

// ModifyPlan locates the chart, as the genuine provider does at every plan: a repository that is down fails the plan.
func (r *releaseResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	var plan, config releaseModel
	var state *releaseModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.Append(req.State.Get(ctx, &state)...); resp.Diagnostics.HasError() {
		return
	}
	plan.Status = types.StringValue("deployed") // the state wanted, so that a failed release is planned as an update
	plan.Manifest, plan.Resources = types.StringNull(), types.MapNull(types.StringType)

	reference := plan
	reference.Version = config.Version
	chart, args := reference.location()
	text, err := r.helm.run(nil, append([]string{"show", "chart", chart}, args...)...)
	var found chartMetadata
	if err == nil {
		err = yaml.Unmarshal([]byte(text), &found)
	}
	if err != nil {
		resp.Diagnostics.AddError("Error locating chart", "Unable to locate chart "+chart+": "+err.Error())
		return
	}
	plan.Version = types.StringValue(found.Version)
	if config.Version.IsNull() && plan.UpgradeInstall.ValueBool() {
		live, err := r.helm.last(ctx, plan.Namespace.ValueString(), plan.Name.ValueString())
		if err != nil {
			resp.Diagnostics.AddError("Failed to check installed release version", err.Error())
			return
		}
		if live != nil {
			plan.Version = types.StringValue(live.Chart.Metadata.Version)
		}
	}
	switch {
	case config.Version.IsUnknown():
		plan.Version = types.StringUnknown()
	case config.Version.IsNull() || config.Version.Equal(plan.Version):
	case same(config.Version.ValueString(), found.Version):
		plan.Version = config.Version
	default:
		resp.Diagnostics.AddError("Planned version is different from configured version",
			"The version in the configuration is \""+config.Version.ValueString()+"\" but the planned version is \""+found.Version+
				"\".\nYou should update the version in your configuration to \""+found.Version+
				"\", or remove the version attribute from your configuration.")
		return
	}
	// Anything that makes a new revision leaves the metadata open; else the framework has kept what the state says.
	if state == nil || !plan.Status.Equal(state.Status) || !plan.Version.Equal(state.Version) {
		plan.Metadata = types.ObjectUnknown(metadataTypes())
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, &plan)...)
}
