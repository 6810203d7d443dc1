// Command conformance is the driver of this client for the conformance cases:
// it makes the calls that it reads from its standard input. See
// clients/conformance/README.md for the lines.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run makes each call as soon as it is read, and returns once all have ended.
func run(in io.Reader, out io.Writer) error {
	lines := json.NewDecoder(in)
	answers := &lineWriter{encoder: json.NewEncoder(out)}
	connections := newConnections()
	defer connections.close()

	var calls sync.WaitGroup
	defer calls.Wait()
	for {
		var line call
		if err := lines.Decode(&line); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("a line that is not a call: %w", err)
		}
		conn, err := connections.to(line.Target, line.ServiceConfig)
		if err != nil {
			return err
		}
		request, err := newRequest(line)
		if err != nil {
			return fmt.Errorf("call %s: %w", line.ID, err)
		}
		calls.Go(func() { answers.write(makeCall(conn, line, request)) })
	}
}

// lineWriter writes values of concurrent calls, one a line.
type lineWriter struct {
	mutex   sync.Mutex
	encoder *json.Encoder
}

func (w *lineWriter) write(value any) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if err := w.encoder.Encode(value); err != nil {
		// Nobody reads the answers any more.
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
