// Command sync fills client-go's dynamic informer with all Hosts of a namespace, once.
package main

import (
	"context"
	"flag"
	"log"

	"k8s.io/client-go/tools/cache"

	"kraut.dev/kraut/bench/peers/internal/kube"
	"kraut.dev/kraut/bench/peers/internal/measure"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig file")
	namespace := flag.String("namespace", "", "namespace of the Hosts")
	strip := flag.Bool("strip", false, "keep of each object only what deciding needs")
	flag.Parse()
	if err := run(*kubeconfig, *namespace, *strip); err != nil {
		log.Fatal(err)
	}
}

func run(kubeconfig, namespace string, strip bool) error {
	config, err := kube.Config(kubeconfig)
	if err != nil {
		return err
	}
	watchLists := kube.WatchLists(config)
	informer, err := kube.NewInformer(config, namespace, strip)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	clock := measure.Start()
	go informer.RunWithContext(ctx)
	if !cache.WaitFor(ctx, "", informer.Handlers.HasSyncedChecker()) {
		return context.Cause(ctx)
	}
	result, err := clock.Stop()
	if err != nil {
		return err
	}
	result.Extra = map[string]any{
		"objects":     len(informer.GetStore().ListKeys()),
		"queued":      informer.Queue.Len(),
		"watch_lists": watchLists.Load(),
	}
	return result.Print()
}
