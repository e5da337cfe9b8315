package release

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/types"
	"sigs.k8s.io/yaml"
)

type setModel struct {
	Name  types.String `tfsdk:"name"`
	Type  types.String `tfsdk:"type"`
	Value types.String `tfsdk:"value"`
}

type setListModel struct {
	Name  types.String `tfsdk:"name"`
	Value types.List   `tfsdk:"value"`
}

// merged lays values, set, set_list and set_sensitive over one another, in this order.
func merged(ctx context.Context, model *releaseModel) (map[string]any, error) {
	base := map[string]any{}
	var documents []types.String
	model.Values.ElementsAs(ctx, &documents, false)
	for _, document := range documents {
		over := map[string]any{}
		if err := yaml.Unmarshal([]byte(document.ValueString()), &over); err != nil {
			return nil, fmt.Errorf("values: %w", err) // without the text, which may hold a secret
		}
		base = overlay(base, over)
	}
	var sets, sensitive []setModel
	var lists []setListModel
	model.Set.ElementsAs(ctx, &sets, false)
	model.SetList.ElementsAs(ctx, &lists, false)
	model.SetSensitive.ElementsAs(ctx, &sensitive, false)
	for _, item := range sets {
		if err := item.into(base); err != nil {
			return nil, err
		}
	}
	for _, item := range lists {
		var texts []string
		item.Value.ElementsAs(ctx, &texts, false)
		elements := []any{}
		for _, text := range texts {
			elements = append(elements, guess(text))
		}
		if err := put(base, item.Name.ValueString(), elements); err != nil {
			return nil, err
		}
	}
	for _, item := range sensitive {
		if err := item.into(base); err != nil {
			return nil, err
		}
	}
	return base, nil
}

// overlay is b over a, maps merged, all else replaced.
func overlay(a, b map[string]any) map[string]any {
	for key, value := range b {
		under, isMap := a[key].(map[string]any)
		if over, both := value.(map[string]any); isMap && both {
			a[key] = overlay(under, over)
			continue
		}
		a[key] = value
	}
	return a
}

func (s setModel) into(base map[string]any) error {
	name, value := s.Name.ValueString(), s.Value.ValueString()
	if s.Type.ValueString() == "literal" {
		var literal any
		if err := yaml.Unmarshal([]byte(value), &literal); err != nil {
			return fmt.Errorf("key %q: not a literal", name)
		}
		base[name] = literal // a literal's name is one key, dots and all
		return nil
	}
	read := guess
	if s.Type.ValueString() == "string" {
		read = func(text string) any { return text }
	}
	if strings.HasPrefix(value, "{") && strings.HasSuffix(value, "}") {
		elements := []any{}
		for _, text := range split(value[1:len(value)-1], ',') {
			elements = append(elements, read(text))
		}
		return put(base, name, elements)
	}
	parts := split(value, ',')
	if len(parts) > 1 {
		return fmt.Errorf("failed parsing key %q: a comma in a value is written \\,", name)
	}
	return put(base, name, read(parts[0]))
}

// guess types a value as helm --set does.
func guess(text string) any {
	switch text {
	case "true":
		return true
	case "false":
		return false
	case "null":
		return nil
	case "0":
		return int64(0)
	}
	if number, err := strconv.ParseInt(text, 10, 64); err == nil && !strings.HasPrefix(text, "0") {
		return number
	}
	return text
}

// split cuts at a separator that is not escaped by a backslash, and takes the backslashes away.
func split(text string, at byte) []string {
	parts, part := []string{}, []byte{}
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
			part = append(part, text[i])
		case text[i] == at:
			parts, part = append(parts, string(part)), []byte{}
		default:
			part = append(part, text[i])
		}
	}
	return append(parts, string(part))
}

// put sets the value at a path a.b[0].c.
func put(base map[string]any, path string, value any) error {
	names := split(path, '.')
	var holder any = base
	assign := func(any) {}
	for _, name := range names {
		key, indexes, _ := strings.Cut(name, "[")
		table, ok := holder.(map[string]any)
		if !ok {
			table = map[string]any{}
			assign(table)
		}
		holder, assign = table[key], func(v any) { table[key] = v }
		if indexes == "" {
			continue
		}
		for _, text := range strings.Split(strings.TrimSuffix(indexes, "]"), "][") {
			index, err := strconv.Atoi(text)
			if err != nil || index < 0 || index > 65536 {
				return fmt.Errorf("failed parsing key %q: bad index %q", path, text)
			}
			list, _ := holder.([]any)
			for len(list) <= index {
				list = append(list, nil)
			}
			assign(list)
			holder, assign = list[index], func(v any) { list[index] = v }
		}
	}
	assign(value)
	return nil
}
