package release

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"tierup.invalid/lab/providers/internal/kubeapi"
)

// stored is what Helm keeps of a release in its Secret sh.helm.release.v1.NAME.vN.
type stored struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Version   int64  `json:"version"`
	Info      struct {
		FirstDeployed time.Time `json:"first_deployed"`
		LastDeployed  time.Time `json:"last_deployed"`
		Status        string    `json:"status"`
		Notes         string    `json:"notes"`
		Description   string    `json:"description"`
	} `json:"info"`
	Chart struct {
		Metadata chartMetadata `json:"metadata"`
	} `json:"chart"`
	Config map[string]any `json:"config"`
}

type chartMetadata struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	AppVersion string `json:"appVersion"`
	Type       string `json:"type"`
}

// last reads the newest revision of a release, whatever its status; nil if there is none.
func (h *helm) last(ctx context.Context, namespace, name string) (*stored, error) {
	var list struct {
		Items []struct {
			Metadata struct {
				Labels map[string]string `json:"labels"`
			} `json:"metadata"`
			Data map[string][]byte `json:"data"`
		} `json:"items"`
	}
	query := "?labelSelector=" + url.QueryEscape("owner=helm,name="+name)
	if err := h.api.Do(ctx, http.MethodGet, kubeapi.Path(namespace, "secrets", "")+query, "", nil, &list); err != nil {
		return nil, err
	}
	newest, text := -1, []byte(nil)
	for _, item := range list.Items {
		if number, err := strconv.Atoi(item.Metadata.Labels["version"]); err == nil && number > newest {
			newest, text = number, item.Data["release"]
		}
	}
	if newest < 0 {
		return nil, nil
	}
	release, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("release %s/%s v%d: %w", namespace, name, newest, err)
	}
	return release, nil
}

// decode undoes Helm's own wrapping: base64 of gzipped JSON.
func decode(text []byte) (*stored, error) {
	packed, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		return nil, err
	}
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	release := &stored{}
	return release, json.NewDecoder(reader).Decode(release)
}
