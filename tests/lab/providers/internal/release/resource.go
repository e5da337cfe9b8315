package release

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

type releaseResource struct{ helm *helm }

func (*releaseResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "helm_release"
}

func (r *releaseResource) Configure(_ context.Context, req resource.ConfigureRequest, _ *resource.ConfigureResponse) {
	if runner, ok := req.ProviderData.(*helm); ok {
		r.helm = runner
	}
}

// action is the command line of an install or an upgrade; the values come on standard input.
func (m *releaseModel) action(verb string) []string {
	chart, args := m.location()
	args = append([]string{verb, m.Name.ValueString(), chart, "--namespace", m.Namespace.ValueString(), "--values", "-"}, args...)
	// Helm 3's ways, which the genuine provider has: patches from the client, and a wait that polls.
	args = append(args, "--server-side=false", "--timeout", fmt.Sprintf("%ds", m.Timeout.ValueInt64()))
	if m.Wait.ValueBool() || m.Atomic.ValueBool() {
		args = append(args, "--wait=legacy")
	}
	args = switched(args, "--rollback-on-failure", m.Atomic)
	args = switched(args, "--no-hooks", m.DisableWebhooks)
	args = switched(args, "--skip-crds", m.SkipCRDs)
	args = switched(args, "--render-subchart-notes", m.RenderSubchartNotes)
	args = switched(args, "--disable-openapi-validation", m.DisableOpenAPIValidation)
	args = switched(args, "--dependency-update", m.DependencyUpdate)
	if m.Description.ValueString() != "" {
		args = append(args, "--description", m.Description.ValueString())
	}
	return args
}

// values are those of the plan, with the write-only ones over them if they are to be written now.
func (r *releaseResource) values(ctx context.Context, plan, config *releaseModel, writeOnly bool) ([]byte, error) {
	base, err := merged(ctx, plan)
	if err != nil {
		return nil, err
	}
	if writeOnly {
		var items []setModel
		config.SetWO.ElementsAs(ctx, &items, false)
		for _, item := range items {
			if err := item.into(base); err != nil {
				return nil, err
			}
		}
	}
	return json.Marshal(base)
}

// Create installs, or upgrades a release that is there already if upgrade_install says so. After a failure nothing is written to the
// state, though the release may be in the cluster: so does the genuine provider.
func (r *releaseResource) Create(_ context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	ctx := context.Background()
	var plan, config releaseModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.Append(req.Config.Get(ctx, &config)...); resp.Diagnostics.HasError() {
		return
	}
	values, err := r.values(ctx, &plan, &config, config.SetWORevision.ValueInt64() > 0)
	if err != nil {
		resp.Diagnostics.AddError("Failed parsing value", err.Error())
		return
	}
	before, err := r.helm.last(ctx, plan.Namespace.ValueString(), plan.Name.ValueString())
	if err != nil && plan.UpgradeInstall.ValueBool() {
		resp.Diagnostics.AddError("Error checking installed release", "Failed to determine if release exists: "+err.Error())
		return
	}
	var args []string
	if plan.UpgradeInstall.ValueBool() && before != nil {
		// Neither take_ownership, wait_for_jobs nor max_history reaches this upgrade in the genuine provider.
		args = append(plan.action("upgrade"), "--history-max", "0")
	} else {
		args = plan.action("install")
		args = switched(args, "--create-namespace", plan.CreateNamespace)
		args = switched(args, "--replace", plan.Replace)
		args = switched(args, "--take-ownership", plan.TakeOwnership)
		args = switched(args, "--wait-for-jobs", plan.WaitForJobs)
	}
	_, failure := r.helm.run(values, args...)
	after, err := r.helm.last(ctx, plan.Namespace.ValueString(), plan.Name.ValueString())
	switch {
	case failure != nil && after != nil && (before == nil || after.Version > before.Version):
		resp.Diagnostics.AddWarning("Helm release created with warnings", fmt.Sprintf("Helm release %q was created but has a failed "+
			"status. Use the `helm` command to investigate the error, correct it, then run Terraform again.", plan.Name.ValueString()))
		resp.Diagnostics.AddError("Helm release error", failure.Error())
		return
	case failure != nil:
		resp.Diagnostics.AddError("installation failed", failure.Error())
		return
	}
	if err == nil {
		err = shown(&plan, after)
	}
	if err != nil {
		resp.Diagnostics.AddError("Error getting release", err.Error())
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

func shown(model *releaseModel, release *stored) error {
	if release == nil {
		return fmt.Errorf("release: not found")
	}
	return model.show(release)
}

// Read forgets a release that is gone, and also one that cannot be asked for: release 3.1.2 of the genuine provider drops the error
// of an unreachable cluster and plans a new release.
func (r *releaseResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var model releaseModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &model)...); resp.Diagnostics.HasError() {
		return
	}
	release, err := r.helm.last(ctx, model.Namespace.ValueString(), model.Name.ValueString())
	if err != nil || release == nil {
		resp.State.RemoveResource(ctx)
		return
	}
	if err := model.show(release); err != nil {
		resp.Diagnostics.AddError("Error setting release attributes", err.Error())
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &model)...)
}

// Update upgrades. After a failure the old state stays; the next read sees the failed revision and plans the upgrade again.
func (r *releaseResource) Update(_ context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	ctx := context.Background()
	var plan, state, config releaseModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.Append(req.Config.Get(ctx, &config)...); resp.Diagnostics.HasError() {
		return
	}
	values, err := r.values(ctx, &plan, &config, plan.SetWORevision.ValueInt64() > state.SetWORevision.ValueInt64())
	if err != nil {
		resp.Diagnostics.AddError("Failed parsing value", err.Error())
		return
	}
	args := append(plan.action("upgrade"), "--history-max", fmt.Sprint(plan.MaxHistory.ValueInt64()))
	args = switched(args, "--take-ownership", plan.TakeOwnership)
	args = switched(args, "--wait-for-jobs", plan.WaitForJobs)
	args = switched(args, "--force-replace", plan.ForceUpdate)
	args = switched(args, "--reset-values", plan.ResetValues)
	args = switched(args, "--reuse-values", plan.ReuseValues)
	args = switched(args, "--cleanup-on-fail", plan.CleanupOnFail)
	if _, err := r.helm.run(values, args...); err != nil {
		resp.Diagnostics.AddError("Error upgrading chart", "Upgrade failed: "+err.Error())
		return
	}
	release, err := r.helm.last(ctx, plan.Namespace.ValueString(), plan.Name.ValueString())
	if err == nil {
		err = shown(&plan, release)
	}
	if err != nil {
		resp.Diagnostics.AddError("Error getting release", err.Error())
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

// Delete uninstalls and waits as the release did when it was installed.
func (r *releaseResource) Delete(_ context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	ctx := context.Background()
	var state releaseModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &state)...); resp.Diagnostics.HasError() {
		return
	}
	name, namespace := state.Name.ValueString(), state.Namespace.ValueString()
	if release, err := r.helm.last(ctx, namespace, name); err != nil || release == nil {
		return // also when the cluster cannot be reached: see Read
	}
	args := []string{"uninstall", name, "--namespace", namespace, "--timeout", fmt.Sprintf("%ds", state.Timeout.ValueInt64())}
	if state.Wait.ValueBool() {
		args = append(args, "--wait=legacy")
	}
	out, err := r.helm.run(nil, switched(args, "--no-hooks", state.DisableWebhooks)...)
	if err != nil {
		resp.Diagnostics.AddError("Error uninstalling release", "Unable to uninstall Helm release "+name+": "+err.Error())
		return
	}
	if _, kept, found := strings.Cut(out, "These resources were kept"); found {
		resp.Diagnostics.AddWarning("Helm uninstall returned an information message", "These resources were kept"+kept)
	}
}

func (r *releaseResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	namespace, name, found := strings.Cut(req.ID, "/")
	if !found || strings.Contains(name, "/") {
		resp.Diagnostics.AddError("Unable to parse import identifier",
			fmt.Sprintf("Unable to parse identifier %s: Unexpected ID format (%q), expected namespace/name", req.ID, req.ID))
		return
	}
	release, err := r.helm.last(ctx, namespace, name)
	if err == nil && release == nil {
		err = fmt.Errorf("release: not found")
	}
	if err != nil {
		resp.Diagnostics.AddError("Error getting release", "Unable to get Helm release "+name+": "+err.Error())
		return
	}
	set := func(attribute string, value any) {
		resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root(attribute), value)...)
	}
	set("name", release.Name)
	set("namespace", release.Namespace)
	set("chart", release.Chart.Metadata.Name)
	set("version", release.Chart.Metadata.Version)
	set("description", release.Info.Description)
	set("timeout", types.Int64Value(defaultTimeout))
	set("max_history", types.Int64Value(defaultMaxHistory))
	for attribute, value := range switches {
		set(attribute, value)
	}
}
