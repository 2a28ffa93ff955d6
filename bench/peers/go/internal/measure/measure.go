// Package measure tells what this process has used, in the words that bench.measure reads.
package measure

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// Clock is a moment and the processor time used until then.
type Clock struct {
	wall time.Time
	cpu  time.Duration
}

// Start notes the moment.
func Start() Clock {
	return Clock{wall: time.Now(), cpu: cpu()}
}

// Result is what one run used; Extra holds whatever else the program found out.
type Result struct {
	WallSeconds float64        `json:"wall_s"`
	CPUSeconds  float64        `json:"cpu_s"`
	PeakMiB     float64        `json:"peak_mib"`
	Extra       map[string]any `json:"extra,omitempty"`
}

// Stop returns what was used since the start, and the peak of the whole process.
func (c Clock) Stop() (Result, error) {
	result := Result{WallSeconds: time.Since(c.wall).Seconds(), CPUSeconds: (cpu() - c.cpu).Seconds()}
	peak, err := peakMiB()
	result.PeakMiB = peak
	return result, err
}

// Print writes the result to standard output, as one line of JSON.
func (r Result) Print() error {
	return json.NewEncoder(os.Stdout).Encode(r)
}

func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // getrusage(2) fails only for a wrong argument
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// peakMiB is VmHWM of proc(5): ru_maxrss would count the parent that this process was forked from.
func peakMiB() (float64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kib); n == 1 {
			return kib / 1024, nil
		}
	}
	return 0, fmt.Errorf("expected a line VmHWM in /proc/self/status, found none")
}
