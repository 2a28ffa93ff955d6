package kube

import (
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// Queue holds the keys, namespace/name, of the Hosts whose status does not answer their generation.
type Queue = workqueue.TypedRateLimitingInterface[string]

// Informer is a dynamic informer of the Hosts of one namespace, and the queue that its handler fills.
type Informer struct {
	cache.SharedIndexInformer
	Queue    Queue
	Handlers cache.ResourceEventHandlerRegistration
}

// NewInformer makes an informer; strip leaves nothing of an object but what deciding needs.
func NewInformer(config *rest.Config, namespace string, strip bool) (*Informer, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, 10*time.Minute, namespace, nil)
	shared := factory.ForResource(Hosts).Informer()
	if strip {
		if err := shared.SetTransform(stripped); err != nil {
			return nil, err
		}
	}
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]())
	handlers, err := shared.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { look(queue, object) },
		UpdateFunc: func(_, object any) { look(queue, object) },
	})
	return &Informer{shared, queue, handlers}, err
}

func look(queue Queue, object any) {
	host := object.(*unstructured.Unstructured)
	answered, _, _ := unstructured.NestedInt64(host.Object, "status", "observedGeneration")
	if answered != host.GetGeneration() {
		queue.Add(host.GetNamespace() + "/" + host.GetName())
	}
}

var kept = [][]string{
	{"apiVersion"}, {"kind"},
	{"metadata", "name"}, {"metadata", "namespace"}, {"metadata", "uid"}, {"metadata", "resourceVersion"},
	{"metadata", "generation"}, {"metadata", "deletionTimestamp"},
	{"metadata", "annotations", "kraut.dev/requested-at"},
	{"spec", "credentialsRef", "name"}, {"spec", "jumpHost", "credentialsRef", "name"}, {"spec", "upgradePolicyRef", "name"},
	{"status", "observedGeneration"}, {"status", "lastHandledRequest"}, {"status", "observedReferences"},
}

func stripped(object any) (any, error) {
	full, ok := object.(*unstructured.Unstructured)
	if !ok {
		return object, nil
	}
	small := map[string]any{}
	for _, path := range kept {
		value, found, err := unstructured.NestedFieldNoCopy(full.Object, path...)
		if err != nil || !found {
			continue
		}
		if err := unstructured.SetNestedField(small, value, path...); err != nil {
			return nil, err
		}
	}
	return &unstructured.Unstructured{Object: small}, nil
}
