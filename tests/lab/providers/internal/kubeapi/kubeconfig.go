package kubeapi

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

type kubeconfig struct {
	CurrentContext string `json:"current-context"`
	Clusters       []struct {
		Name    string `json:"name"`
		Cluster struct {
			Server     string `json:"server"`
			CAFile     string `json:"certificate-authority"`
			CAData     string `json:"certificate-authority-data"`
			Insecure   bool   `json:"insecure-skip-tls-verify"`
			ServerName string `json:"tls-server-name"`
		} `json:"cluster"`
	} `json:"clusters"`
	Contexts []struct {
		Name    string `json:"name"`
		Context struct {
			Cluster string `json:"cluster"`
			User    string `json:"user"`
		} `json:"context"`
	} `json:"contexts"`
	Users []struct {
		Name string `json:"name"`
		User struct {
			CertFile  string `json:"client-certificate"`
			CertData  string `json:"client-certificate-data"`
			KeyFile   string `json:"client-key"`
			KeyData   string `json:"client-key-data"`
			Token     string `json:"token"`
			TokenFile string `json:"tokenFile"`
			Exec      *struct {
				APIVersion string   `json:"apiVersion"`
				Command    string   `json:"command"`
				Args       []string `json:"args"`
				Env        []struct {
					Name  string `json:"name"`
					Value string `json:"value"`
				} `json:"env"`
			} `json:"exec"`
		} `json:"user"`
	} `json:"users"`
}

// Resolve reads the kubeconfig, if one is named, and lays the block's own settings over it.
func (s *Settings) Resolve() (*Target, error) {
	target := &Target{Server: "http://localhost"} // what client-go falls back to
	if s.ConfigPath != "" {
		if err := target.load(s.ConfigPath, s.Context); err != nil {
			return nil, err
		}
	}
	if s.Host != "" {
		target.Server = s.Host
	}
	if s.Token != "" {
		target.Token = s.Token
	}
	if s.CA != "" {
		target.CA = []byte(s.CA)
	}
	if s.Cert != "" {
		target.Cert, target.Key = []byte(s.Cert), []byte(s.Key)
	}
	if s.ServerName != "" {
		target.ServerName = s.ServerName
	}
	if s.Exec != nil {
		target.Exec = s.Exec
	}
	target.Insecure = target.Insecure || s.Insecure
	return target, nil
}

func (t *Target) load(path, context string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var config kubeconfig
	if err := yaml.Unmarshal(text, &config); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if context == "" {
		context = config.CurrentContext
	}
	clusterName, userName, found := "", "", false
	for _, entry := range config.Contexts {
		if entry.Name == context {
			clusterName, userName, found = entry.Context.Cluster, entry.Context.User, true
		}
	}
	if !found {
		return fmt.Errorf("context %q does not exist", context)
	}
	beside := func(file, data string) ([]byte, error) {
		switch {
		case data != "":
			return base64.StdEncoding.DecodeString(data)
		case file == "":
			return nil, nil
		case !filepath.IsAbs(file): // relative names count from the kubeconfig's folder
			file = filepath.Join(filepath.Dir(path), file)
		}
		return os.ReadFile(file)
	}
	for _, entry := range config.Clusters {
		if entry.Name != clusterName {
			continue
		}
		t.Server, t.Insecure, t.ServerName = entry.Cluster.Server, entry.Cluster.Insecure, entry.Cluster.ServerName
		if t.CA, err = beside(entry.Cluster.CAFile, entry.Cluster.CAData); err != nil {
			return err
		}
	}
	for _, entry := range config.Users {
		if entry.Name != userName {
			continue
		}
		if t.Cert, err = beside(entry.User.CertFile, entry.User.CertData); err != nil {
			return err
		}
		if t.Key, err = beside(entry.User.KeyFile, entry.User.KeyData); err != nil {
			return err
		}
		t.Token = entry.User.Token
		if t.Token == "" && entry.User.TokenFile != "" {
			token, err := beside(entry.User.TokenFile, "")
			if err != nil {
				return err
			}
			t.Token = string(token)
		}
		if plugin := entry.User.Exec; plugin != nil {
			t.Exec = &Exec{APIVersion: plugin.APIVersion, Command: plugin.Command, Args: plugin.Args, Env: map[string]string{}}
			for _, variable := range plugin.Env {
				t.Exec.Env[variable.Name] = variable.Value
			}
		}
	}
	return nil
}
