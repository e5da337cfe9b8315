package kubeapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Content types of a request body.
const (
	JSON      = "application/json"
	JSONPatch = "application/json-patch+json"
)

// StatusError is an answer of the API server that is not a success; its text is the server's own message.
type StatusError struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

func (e *StatusError) Error() string { return e.Message }

// NotFound tells whether the server said that the object does not exist.
func NotFound(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Code == http.StatusNotFound
}

// Client speaks to one API server. It connects on the first request, as a provider may be configured before there is a cluster.
type Client struct {
	settings Settings
	once     sync.Once
	err      error
	target   *Target
	http     *http.Client
}

// New makes a client; nothing is read or contacted yet.
func New(settings Settings) *Client { return &Client{settings: settings} }

// Settings are those the client was made with.
func (c *Client) Settings() Settings { return c.settings }

func (c *Client) open() {
	if c.target, c.err = c.settings.Resolve(); c.err != nil {
		return
	}
	config := &tls.Config{InsecureSkipVerify: c.target.Insecure, ServerName: c.target.ServerName, MinVersion: tls.VersionTLS12}
	if c.err = c.credentials(); c.err != nil {
		return
	}
	if len(c.target.CA) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(c.target.CA) {
			c.err = errors.New("unable to load root certificates: unable to parse bytes as PEM block")
			return
		}
	}
	if len(c.target.Cert) > 0 {
		pair, err := tls.X509KeyPair(c.target.Cert, c.target.Key)
		if err != nil {
			c.err = err
			return
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if !strings.Contains(c.target.Server, "://") {
		c.target.Server = "https://" + c.target.Server
	}
	c.http = &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true,
	}}
}

// credentials runs the exec plugin, once a process: no run of Terraform outlives its token here.
func (c *Client) credentials() error {
	plugin := c.target.Exec
	if plugin == nil {
		return nil
	}
	command := exec.Command(plugin.Command, plugin.Args...)
	command.Env = append(os.Environ(), `KUBERNETES_EXEC_INFO={"kind":"ExecCredential","apiVersion":"`+plugin.APIVersion+`","spec":{"interactive":false}}`)
	for name, value := range plugin.Env {
		command.Env = append(command.Env, name+"="+value)
	}
	out, err := command.Output()
	if err != nil {
		return fmt.Errorf("getting credentials: exec: executable %s failed: %w", plugin.Command, err)
	}
	var answer struct {
		Status struct {
			Token string `json:"token"`
			Cert  string `json:"clientCertificateData"`
			Key   string `json:"clientKeyData"`
		} `json:"status"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return fmt.Errorf("getting credentials: decoding stdout: %w", err)
	}
	c.target.Token = answer.Status.Token
	if answer.Status.Cert != "" {
		c.target.Cert, c.target.Key = []byte(answer.Status.Cert), []byte(answer.Status.Key)
	}
	return nil
}

// Do sends body (nil for none) and decodes the answer into out (nil to drop it).
func (c *Client) Do(ctx context.Context, method, path, contentType string, body, out any) error {
	if c.once.Do(c.open); c.err != nil {
		return c.err
	}
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.target.Server, "/")+path, reader)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", JSON)
	request.Header.Set("User-Agent", "tierup-lab-provider")
	if body != nil {
		request.Header.Set("Content-Type", contentType)
	}
	if c.target.Token != "" {
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(c.target.Token))
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		status := &StatusError{}
		if json.Unmarshal(text, status) != nil || status.Message == "" {
			status.Message = fmt.Sprintf("the server answered %s", response.Status)
		}
		status.Code = response.StatusCode
		return status
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// Path builds the address of a core object; an empty name is the collection, an empty namespace a cluster-scoped kind.
func Path(namespace, kind, name string) string {
	path := "/api/v1"
	if namespace != "" {
		path += "/namespaces/" + url.PathEscape(namespace)
	}
	path += "/" + kind
	if name != "" {
		path += "/" + url.PathEscape(name)
	}
	return path
}
