package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// writePKI makes a certificate authority, one serving certificate for loopback and a key that signs service account tokens.
// SKEW moves the validity of the serving certificate, e.g. "24h" makes one that is valid from tomorrow: what a client sees whose clock is a day late.
func writePKI(args []string) error {
	if len(args) < 1 {
		return fmt.Errorf("usage: kubelab pki DIRECTORY [SKEW]")
	}
	directory := args[0]
	var skew time.Duration
	if len(args) > 1 {
		var err error
		if skew, err = time.ParseDuration(args[1]); err != nil {
			return err
		}
	}
	caKey, caCert, err := authority(directory)
	if err != nil {
		return err
	}
	key, err := writeKey(filepath.Join(directory, "server.key"))
	if err != nil {
		return err
	}
	from := time.Now().Add(skew - time.Hour)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "kube-apiserver"},
		NotBefore:    from,
		NotAfter:     from.Add(10 * 24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, caCert, &key.PublicKey, caKey)
	if err != nil {
		return err
	}
	if err := writePEM(filepath.Join(directory, "server.crt"), "CERTIFICATE", der); err != nil {
		return err
	}
	_, err = writeKey(filepath.Join(directory, "service-accounts.key"))
	return err
}

func authority(directory string) (*ecdsa.PrivateKey, *x509.Certificate, error) {
	key, err := writeKey(filepath.Join(directory, "ca.key"))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "lab"},
		NotBefore:             time.Now().Add(-30 * 24 * time.Hour),
		NotAfter:              time.Now().Add(30 * 24 * time.Hour),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	return key, cert, writePEM(filepath.Join(directory, "ca.crt"), "CERTIFICATE", der)
}

func writeKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
