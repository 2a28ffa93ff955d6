// Package kube reaches the API server as the peers of kraut-operator do: client-go without client-side limits.
package kube

import (
	"net/http"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Hosts is the resource that all benches watch.
var Hosts = schema.GroupVersionResource{Group: "kraut.dev", Version: "v1alpha1", Resource: "hosts"}

// Config reads a kubeconfig and lifts the client-side limits.
func Config(kubeconfig string) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	return config, nil
}

// WatchLists counts the requests of a config that are WatchLists (KEP-3157).
func WatchLists(config *rest.Config) *atomic.Int64 {
	var count atomic.Int64
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			if request.URL.Query().Get("sendInitialEvents") == "true" {
				count.Add(1)
			}
			return next.RoundTrip(request)
		})
	})
	return &count
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }
