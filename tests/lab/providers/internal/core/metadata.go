package core

import (
	"context"
	"net/url"
	"sort"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// objectMeta is the part of Kubernetes' metadata the resources show.
type objectMeta struct {
	Name            string            `json:"name,omitempty"`
	GenerateName    string            `json:"generateName,omitempty"`
	Namespace       string            `json:"namespace,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	Annotations     map[string]string `json:"annotations,omitempty"`
	Generation      int64             `json:"generation,omitempty"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	UID             string            `json:"uid,omitempty"`
}

func metadataBlock(namespaced bool) schema.Block {
	replace := []planmodifier.String{stringplanmodifier.RequiresReplace()}
	kept := []planmodifier.String{stringplanmodifier.UseStateForUnknown()}
	attributes := map[string]schema.Attribute{
		"annotations":      schema.MapAttribute{Optional: true, ElementType: types.StringType},
		"labels":           schema.MapAttribute{Optional: true, ElementType: types.StringType},
		"generate_name":    schema.StringAttribute{Optional: true, PlanModifiers: replace},
		"generation":       schema.Int64Attribute{Computed: true},
		"name":             schema.StringAttribute{Optional: true, Computed: true, PlanModifiers: append(kept, replace...)},
		"resource_version": schema.StringAttribute{Computed: true},
		"uid":              schema.StringAttribute{Computed: true, PlanModifiers: kept},
	}
	if namespaced {
		attributes["namespace"] = schema.StringAttribute{Optional: true, PlanModifiers: replace}
	}
	return schema.ListNestedBlock{NestedObject: schema.NestedBlockObject{Attributes: attributes}}
}

func metadataType(namespaced bool) types.ObjectType {
	text, texts := types.StringType, types.MapType{ElemType: types.StringType}
	fields := map[string]attr.Type{
		"annotations": texts, "labels": texts, "generate_name": text, "generation": types.Int64Type,
		"name": text, "resource_version": text, "uid": text,
	}
	if namespaced {
		fields["namespace"] = text
	}
	return types.ObjectType{AttrTypes: fields}
}

// blankMetadata is the block of an import: nothing known yet.
func blankMetadata(namespaced bool) types.List {
	kind := metadataType(namespaced)
	fields := map[string]attr.Value{}
	for name, field := range kind.AttrTypes {
		switch field {
		case types.StringType:
			fields[name] = types.StringNull()
		case types.Int64Type:
			fields[name] = types.Int64Null()
		default:
			fields[name] = types.MapNull(types.StringType)
		}
	}
	return types.ListValueMust(kind, []attr.Value{types.ObjectValueMust(kind.AttrTypes, fields)})
}

func fields(list types.List) map[string]attr.Value {
	return list.Elements()[0].(types.Object).Attributes()
}

// expand turns the block into what is sent; a namespaced object without a namespace goes to "default".
func expand(list types.List) objectMeta {
	block := fields(list)
	meta := objectMeta{
		Name: text(block["name"]), GenerateName: text(block["generate_name"]),
		Labels: texts(block["labels"]), Annotations: texts(block["annotations"]),
	}
	if namespace, namespaced := block["namespace"]; namespaced {
		if meta.Namespace = text(namespace); meta.Namespace == "" {
			meta.Namespace = "default"
		}
	}
	return meta
}

// written is the block after a write: what was planned, with what the server filled in.
func written(planned types.List, meta objectMeta) types.List {
	block := fields(planned)
	block["name"] = types.StringValue(meta.Name)
	block["generation"] = types.Int64Value(meta.Generation)
	block["resource_version"] = types.StringValue(meta.ResourceVersion)
	block["uid"] = types.StringValue(meta.UID)
	kind := planned.ElementType(context.Background()).(types.ObjectType)
	return types.ListValueMust(kind, []attr.Value{types.ObjectValueMust(kind.AttrTypes, block)})
}

// seen is the block after a read: labels and annotations come from the cluster, so that drift shows.
func seen(prior types.List, meta objectMeta) types.List {
	list := written(prior, meta)
	block := fields(list)
	block["labels"] = own(block["labels"], meta.Labels)
	block["annotations"] = own(block["annotations"], meta.Annotations)
	if namespace, namespaced := block["namespace"]; namespaced && (!namespace.IsNull() || fields(prior)["name"].IsNull()) {
		block["namespace"] = types.StringValue(meta.Namespace)
	}
	kind := list.ElementType(context.Background()).(types.ObjectType)
	return types.ListValueMust(kind, []attr.Value{types.ObjectValueMust(kind.AttrTypes, block)})
}

// own drops keys of Kubernetes itself, unless the configuration has them.
func own(prior attr.Value, live map[string]string) attr.Value {
	known := texts(prior)
	kept := map[string]attr.Value{}
	for key, value := range live {
		if _, ours := known[key]; ours || !internal(key) {
			kept[key] = types.StringValue(value)
		}
	}
	if len(kept) == 0 && len(known) == 0 {
		return prior // null stays null, {} stays {}
	}
	return types.MapValueMust(types.StringType, kept)
}

func internal(key string) bool {
	address, err := url.Parse("//" + key)
	if err != nil {
		return false
	}
	host := address.Hostname()
	if host == "app.kubernetes.io" || host == "service.beta.kubernetes.io" {
		return false
	}
	return strings.HasSuffix(host, "kubernetes.io") || strings.HasSuffix(host, "k8s.io")
}

// operation is one step of a JSON patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// metadataPatch changes the keys the plan changes and leaves those of others alone.
func metadataPatch(state, plan types.List) []operation {
	was, want := fields(state), fields(plan)
	return append(mapPatch("/metadata/annotations", texts(was["annotations"]), texts(want["annotations"])),
		mapPatch("/metadata/labels", texts(was["labels"]), texts(want["labels"]))...)
}

func mapPatch(path string, was, want map[string]string) []operation {
	if len(was) == 0 {
		if len(want) == 0 {
			return nil
		}
		return []operation{{"add", path, want}} // as the genuine one: the whole map, as there may be none yet
	}
	ops := []operation{}
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	for _, key := range keys(was) {
		if _, stays := want[key]; !stays {
			ops = append(ops, operation{Op: "remove", Path: path + "/" + escape.Replace(key)})
		}
	}
	for _, key := range keys(want) {
		if old, there := was[key]; !there || old != want[key] {
			ops = append(ops, operation{"add", path + "/" + escape.Replace(key), want[key]})
		}
	}
	return ops
}

func keys(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func text(value attr.Value) string {
	s, _ := value.(types.String)
	return s.ValueString()
}

func texts(value attr.Value) map[string]string {
	m, _ := value.(types.Map)
	if m.IsNull() || m.IsUnknown() {
		return nil
	}
	out := map[string]string{}
	for key, element := range m.Elements() {
		out[key] = text(element)
	}
	return out
}
