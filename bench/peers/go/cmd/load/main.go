// Command load asks one URL over HTTP/1.1 for a while and tells how it was answered, as one line of JSON.
//
// Every connection has one request under way. With -rate the requests start at fixed times and latency counts from then, so that a
// server that stalls is not asked less (coordinated omission); without, as fast as answers come. Connections are made before the
// clock starts; with -fresh every request has one of its own, with a full TLS handshake, whose time counts. An answer other than 200
// with the bytes of -file ends it. cpu_s is the processor time of the server, the process -pid, meanwhile.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

type options struct {
	target      *url.URL
	expected    []byte
	trust       *tls.Config
	connections int
	duration    time.Duration
	rate        float64
	fresh       bool
	server      int
}

func main() {
	target := flag.String("url", "", "URL to ask")
	file := flag.String("file", "", "file with the bytes of the answer")
	ca := flag.String("ca", "", "PEM file of the authority, for https")
	connections := flag.Int("connections", 32, "requests under way at a time")
	duration := flag.Duration("duration", 5*time.Second, "how long to ask")
	rate := flag.Float64("rate", 0, "requests per second; 0: as many as are answered")
	fresh := flag.Bool("fresh", false, "a new connection for every request")
	pid := flag.Int("pid", 0, "process of the server")
	flag.Parse()
	o := options{connections: *connections, duration: *duration, rate: *rate, fresh: *fresh, server: *pid}
	result, err := run(*target, *file, *ca, o)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		log.Fatal(err)
	}
}

func run(target, file, ca string, o options) (map[string]float64, error) {
	var err error
	if o.target, err = url.Parse(target); err != nil {
		return nil, err
	}
	if o.expected, err = os.ReadFile(file); err != nil {
		return nil, err
	}
	if o.target.Scheme == "https" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("expected PEM certificates in %s, found none", ca)
		}
		o.trust = &tls.Config{RootCAs: pool, ServerName: o.target.Hostname()}
	}
	return o.load()
}

func (o options) load() (map[string]float64, error) {
	clients := make([]client, o.connections)
	for lane := range clients {
		clients[lane].options = o
		defer clients[lane].close()
		if !o.fresh {
			if err := clients[lane].dial(); err != nil {
				return nil, err
			}
		}
	}
	latencies := make([][]time.Duration, o.connections)
	failures := make([]error, o.connections)
	var sent atomic.Int64
	var group sync.WaitGroup
	before, err := cpuSeconds(o.server)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	for lane := range clients {
		group.Go(func() { latencies[lane], failures[lane] = clients[lane].run(began, &sent) })
	}
	group.Wait()
	took := time.Since(began)
	after, err := cpuSeconds(o.server)
	if err := errors.Join(append(failures, err)...); err != nil {
		return nil, err
	}
	all := slices.Concat(latencies...)
	slices.Sort(all)
	at := func(share float64) float64 {
		return float64(all[max(0, int(math.Ceil(share*float64(len(all))))-1)].Microseconds()) / 1000
	}
	return map[string]float64{
		"requests": float64(len(all)), "wall_s": took.Seconds(), "cpu_s": after - before,
		"p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1),
	}, nil
}

// cpuSeconds sums the threads' time on a core, in nanoseconds in /proc/PID/task/TID/schedstat: clock ticks of 10 ms are too coarse.
func cpuSeconds(pid int) (float64, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("expected the threads of process %d, found none: %w", pid, err)
	}
	var sum float64
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has just ended
		}
		var onCore float64
		if _, err := fmt.Sscan(string(text), &onCore); err != nil {
			return 0, err
		}
		sum += onCore
	}
	return sum / 1e9, nil
}

type client struct {
	options
	connection net.Conn
	reader     *bufio.Reader
	body       []byte
}

func (c *client) run(began time.Time, sent *atomic.Int64) ([]time.Duration, error) {
	var latencies []time.Duration
	for {
		start := time.Now()
		if c.rate > 0 {
			start = began.Add(time.Duration(float64(sent.Add(1)) / c.rate * float64(time.Second)))
			time.Sleep(time.Until(start))
		}
		if start.Sub(began) > c.duration {
			return latencies, nil
		}
		if err := c.ask(); err != nil {
			return nil, err
		}
		latencies = append(latencies, time.Since(start))
		if c.fresh {
			c.close()
		}
	}
}

func (c *client) ask() error {
	if c.connection == nil {
		if err := c.dial(); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(c.connection, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n\r\n", c.target.Path, c.target.Host); err != nil {
		return err
	}
	length, err := c.head()
	if err != nil {
		return err
	}
	c.body = slices.Grow(c.body[:0], length)[:length]
	if _, err := io.ReadFull(c.reader, c.body); err != nil {
		return err
	}
	if !bytes.Equal(c.body, c.expected) {
		return fmt.Errorf("expected the %d bytes of the document, found %d others", len(c.expected), length)
	}
	return nil
}

func (c *client) dial() error {
	connection, err := net.DialTimeout("tcp", c.target.Host, 30*time.Second)
	if err != nil {
		return err
	}
	if err := connection.SetDeadline(time.Now().Add(c.duration + 60*time.Second)); err != nil {
		return err
	}
	if c.trust != nil {
		secured := tls.Client(connection, c.trust)
		if err := secured.Handshake(); err != nil {
			return err
		}
		connection = secured
	}
	c.connection, c.reader = connection, bufio.NewReader(connection)
	return nil
}

func (c *client) close() {
	if c.connection != nil {
		_ = c.connection.Close()
		c.connection = nil
	}
}

// head reads the status and the headers; it returns the length of the body.
func (c *client) head() (int, error) {
	length := -1
	for first := true; ; first = false {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
			return 0, fmt.Errorf("expected status 200, found %q", line)
		}
		if len(line) == 0 {
			break
		}
		if name, value, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(name, []byte("content-length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, err
			}
		}
	}
	if length < 0 {
		return 0, errors.New("expected a Content-Length, found none")
	}
	return length, nil
}
