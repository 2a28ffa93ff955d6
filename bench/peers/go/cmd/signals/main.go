// Command signals does what kraut-operator does, with client-go and Temporal's Go SDK: it watches Hosts and sends
// signal-with-start for each that changed. Each acknowledged signal is a line "name generation nanoseconds" on standard
// output; "ready" comes first.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/cache"

	"kraut.dev/kraut/bench/peers/internal/kube"
)

const inFlight = 64

type request struct {
	UID        string `json:"uid"`
	Generation int64  `json:"generation"`
	Reason     string `json:"reason"`
}

type input struct {
	Home      string `json:"home"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	State     string `json:"state"`
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig file")
	namespace := flag.String("namespace", "", "namespace of the Hosts")
	temporal := flag.String("temporal", "", "address of Temporal's frontend")
	home := flag.String("home", "", "id of the home cluster")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kubeconfig, *namespace, *temporal, *home); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, kubeconfig, namespace, temporal, home string) error {
	config, err := kube.Config(kubeconfig)
	if err != nil {
		return err
	}
	informer, err := kube.NewInformer(config, namespace, true)
	if err != nil {
		return err
	}
	signals, err := client.Dial(client.Options{HostPort: temporal, Logger: sdklog.NewStructuredLogger(nil)})
	if err != nil {
		return err
	}
	defer signals.Close()
	go informer.RunWithContext(ctx)
	if !cache.WaitFor(ctx, "", informer.Handlers.HasSyncedChecker()) {
		return context.Cause(ctx)
	}
	sender := &sender{informer: informer, signals: signals, home: home, out: bufio.NewWriter(os.Stdout)}
	sender.say("ready")
	var workers sync.WaitGroup
	for range inFlight {
		workers.Go(func() { sender.work(ctx) })
	}
	<-ctx.Done()
	informer.Queue.ShutDown()
	workers.Wait()
	return nil
}

type sender struct {
	informer *kube.Informer
	signals  client.Client
	home     string
	mutex    sync.Mutex
	out      *bufio.Writer
}

func (s *sender) say(line string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	fmt.Fprintln(s.out, line)
	s.out.Flush()
}

func (s *sender) work(ctx context.Context) {
	for {
		key, shutdown := s.informer.Queue.Get()
		if shutdown {
			return
		}
		if err := s.send(ctx, key); err != nil {
			log.Print(err)
			s.informer.Queue.AddRateLimited(key)
		} else {
			s.informer.Queue.Forget(key)
		}
		s.informer.Queue.Done(key)
	}
}

func (s *sender) send(ctx context.Context, key string) error {
	object, found, err := s.informer.GetStore().GetByKey(key)
	if err != nil || !found {
		return err
	}
	host := object.(*unstructured.Unstructured)
	namespace, name, _ := strings.Cut(key, "/")
	id := strings.Join([]string{s.home, "Host", namespace, name}, "/")
	options := client.StartWorkflowOptions{TaskQueue: s.home + ".workflows"}
	_, err = s.signals.SignalWithStartWorkflow(ctx, id, "reconcile",
		request{string(host.GetUID()), host.GetGeneration(), "Spec"}, options, "HostWorkflow",
		input{Home: s.home, Namespace: namespace, Name: name})
	if err != nil {
		return fmt.Errorf("signal for %s: %w", key, err)
	}
	s.say(fmt.Sprintf("%s %d %d", name, host.GetGeneration(), time.Now().UnixNano()))
	return nil
}
