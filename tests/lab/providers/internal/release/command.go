package release

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"tierup.invalid/lab/providers/internal/kubeapi"
)

// program may be set at link time (-X …/internal/release.program=PATH), for callers that hand no environment down.
var program string

// helm runs the helm program and reads its releases.
type helm struct {
	api                                 *kubeapi.Client
	registryConfig, repositories, cache string
}

func binary() string {
	if path := os.Getenv("TIERUP_LAB_HELM"); path != "" {
		return path
	}
	if program != "" {
		return program
	}
	return "helm"
}

// run starts helm with values on its standard input, away from any repositories and caches of the user, and returns its output.
//
// The genuine provider works without a context: an interrupt of Terraform does not stop an install, hence the process group of its
// own. And what it does dies with it: hence the death signal, which the kernel ties to the thread that started the child.
func (h *helm) run(values []byte, args ...string) (string, error) {
	home, err := os.MkdirTemp("", "lab-helm-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(home)
	access, err := h.access(home)
	if err != nil {
		return "", err
	}
	command := exec.Command(binary(), append(args, access...)...)
	command.Env = h.environment(home)
	command.Stdin = bytes.NewReader(values)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread()
	err = command.Run()
	runtime.UnlockOSThread()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if exit.Exited() {
			return out.String(), errors.New(complaint(errs.String()))
		}
		return out.String(), errors.New("helm: " + exit.String())
	}
	return out.String(), err
}

// access tells helm which cluster: the kubeconfig as it is, or one written for settings that are in the provider block.
func (h *helm) access(home string) ([]string, error) {
	settings := h.api.Settings()
	if settings.FileOnly() {
		args := []string{"--kubeconfig", settings.ConfigPath}
		if settings.Context != "" {
			args = append(args, "--kube-context", settings.Context)
		}
		return args, nil
	}
	target, err := settings.Resolve()
	if err != nil {
		return nil, err
	}
	text, err := target.Kubeconfig()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(home, "kubeconfig")
	return []string{"--kubeconfig", path}, os.WriteFile(path, text, 0o600)
}

func (h *helm) environment(home string) []string {
	env := []string{}
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, "HELM_") && !strings.HasPrefix(name, "TF_") && name != "KUBECONFIG" {
			env = append(env, variable)
		}
	}
	env = append(env, "HELM_CACHE_HOME="+home+"/cache", "HELM_CONFIG_HOME="+home+"/config", "HELM_DATA_HOME="+home+"/data")
	for name, value := range map[string]string{
		"HELM_REGISTRY_CONFIG": h.registryConfig, "HELM_REPOSITORY_CONFIG": h.repositories, "HELM_REPOSITORY_CACHE": h.cache,
	} {
		if value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// complaint is helm's last error, in the words of the library the genuine provider uses (Helm 3).
func complaint(text string) string {
	if at := strings.LastIndex("\n"+text, "\nError: "); at >= 0 {
		text = text[at+len("Error: "):]
	}
	text = strings.TrimSpace(text)
	for _, prefix := range []string{"INSTALLATION FAILED: ", "UPGRADE FAILED: ", "release name check failed: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return strings.ReplaceAll(text, "cannot reuse a name", "cannot re-use a name")
}
