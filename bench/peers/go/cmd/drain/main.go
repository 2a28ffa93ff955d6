// Command drain reads the WatchList stream of all Hosts of a namespace and does nothing with it: the limit of any client.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"net/http"

	"k8s.io/client-go/rest"

	"kraut.dev/kraut/bench/peers/internal/kube"
	"kraut.dev/kraut/bench/peers/internal/measure"
)

// end stands in the bookmark after the last initial event.
var end = []byte("k8s.io/initial-events-end")

func main() {
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig file")
	namespace := flag.String("namespace", "", "namespace of the Hosts")
	flag.Parse()
	if err := run(*kubeconfig, *namespace); err != nil {
		log.Fatal(err)
	}
}

func run(kubeconfig, namespace string) error {
	config, err := kube.Config(kubeconfig)
	if err != nil {
		return err
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	url := fmt.Sprintf("%s/apis/kraut.dev/v1alpha1/namespaces/%s/hosts?watch=true&allowWatchBookmarks=true"+
		"&sendInitialEvents=true&resourceVersionMatch=NotOlderThan", config.Host, namespace)
	clock := measure.Start()
	size, events, err := drain(client, url)
	if err != nil {
		return err
	}
	result, err := clock.Stop()
	if err != nil {
		return err
	}
	result.Extra = map[string]any{"bytes": size, "objects": events - 1}
	return result.Print()
}

func drain(client *http.Client, url string) (size, events int, err error) {
	answer, err := client.Get(url)
	if err != nil {
		return 0, 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 0, 0, fmt.Errorf("expected status 200 of %s, found %s", url, answer.Status)
	}
	buffer := make([]byte, 128<<10)
	var tail []byte
	for {
		n, err := answer.Body.Read(buffer)
		if err != nil {
			return 0, 0, fmt.Errorf("the watch ended before all existing objects were sent: %w", err)
		}
		size += n
		events += bytes.Count(buffer[:n], []byte("\n"))
		// The bookmark may lie across two reads.
		tail = append(tail, buffer[:n]...)
		if bytes.Contains(tail, end) && tail[len(tail)-1] == '\n' {
			return size, events, nil
		}
		tail = append(tail[:0], tail[max(0, len(tail)-4096):]...)
	}
}
