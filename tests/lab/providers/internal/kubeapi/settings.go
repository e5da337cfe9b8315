// Package kubeapi talks to a Kubernetes API server with net/http and JSON alone: four kinds of objects do not justify
// the build time of client-go.
package kubeapi

import (
	"encoding/json"
	"os"
)

// Settings is what a provider block says about the cluster.
type Settings struct {
	ConfigPath, Context string
	Host, Token         string
	CA, Cert, Key       string // PEM text, as in the provider block
	ServerName          string
	Insecure            bool
	Exec                *Exec
}

// Exec is a credential plugin (client.authentication.k8s.io).
type Exec struct {
	APIVersion string            `json:"apiVersion"`
	Command    string            `json:"command"`
	Args       []string          `json:"args,omitempty"`
	Env        map[string]string `json:"-"`
}

// FromEnv fills what the block leaves out from the variables the genuine providers read.
func (s *Settings) FromEnv() {
	fill := func(field *string, name string) {
		if *field == "" {
			*field = os.Getenv(name)
		}
	}
	fill(&s.ConfigPath, "KUBE_CONFIG_PATH")
	fill(&s.Context, "KUBE_CTX")
	fill(&s.Host, "KUBE_HOST")
	fill(&s.Token, "KUBE_TOKEN")
	fill(&s.CA, "KUBE_CLUSTER_CA_CERT_DATA")
	fill(&s.Cert, "KUBE_CLIENT_CERT_DATA")
	fill(&s.Key, "KUBE_CLIENT_KEY_DATA")
}

// FileOnly tells whether a kubeconfig file says everything, so that it can be handed on as it is.
func (s *Settings) FileOnly() bool {
	return s.ConfigPath != "" && s.Host == "" && s.Token == "" && s.CA == "" && s.Cert == "" && s.Key == "" &&
		s.ServerName == "" && !s.Insecure && s.Exec == nil
}

// Target is one API server and how to authenticate to it.
type Target struct {
	Server        string
	CA, Cert, Key []byte
	Token         string
	ServerName    string
	Insecure      bool
	Exec          *Exec
}

// Kubeconfig renders the target as a kubeconfig (JSON is YAML).
func (t *Target) Kubeconfig() ([]byte, error) {
	cluster := map[string]any{"server": t.Server}
	if len(t.CA) > 0 {
		cluster["certificate-authority-data"] = t.CA
	}
	if t.Insecure {
		cluster["insecure-skip-tls-verify"] = true
	}
	if t.ServerName != "" {
		cluster["tls-server-name"] = t.ServerName
	}
	user := map[string]any{}
	if len(t.Cert) > 0 {
		user["client-certificate-data"], user["client-key-data"] = t.Cert, t.Key
	}
	if t.Token != "" {
		user["token"] = t.Token
	}
	if t.Exec != nil {
		env := []map[string]string{}
		for name, value := range t.Exec.Env {
			env = append(env, map[string]string{"name": name, "value": value})
		}
		user["exec"] = map[string]any{
			"apiVersion": t.Exec.APIVersion, "command": t.Exec.Command, "args": t.Exec.Args, "env": env, "interactiveMode": "Never",
		}
	}
	named := func(field string, value any) []any { return []any{map[string]any{"name": "it", field: value}} }
	return json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "it",
		"clusters": named("cluster", cluster), "users": named("user", user),
		"contexts": named("context", map[string]any{"cluster": "it", "user": "it"}),
	})
}
