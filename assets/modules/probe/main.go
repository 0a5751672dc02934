// Probe is what tests and drills deploy: it answers with its own name, and it asks others.
//
//	probe [serve [ADDRESS]]      answers every request with its host name (default :8080)
//	probe get URL [TIMEOUT]      prints the answer's body
//	probe resolve NAME [TIMEOUT] prints the addresses of a name, one a line
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const defaultTimeout = 5 * time.Second

func main() {
	if err := run(append(os.Args[1:], "", "", "")); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch args[0] {
	case "", "serve":
		return serve(args[1])
	case "get", "resolve":
		timeout := defaultTimeout
		if args[2] != "" {
			var err error
			if timeout, err = time.ParseDuration(args[2]); err != nil {
				return err
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		if args[0] == "get" {
			return get(ctx, args[1])
		}
		return resolve(ctx, args[1])
	}
	return fmt.Errorf("unknown mode %q: use serve, get or resolve", args[0])
}

func serve(address string) error {
	if address == "" {
		address = ":8080"
	}
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	server := &http.Server{Addr: address, ReadHeaderTimeout: defaultTimeout}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, name) })
	// The first process of a container ignores signals that it does not ask for.
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	context.AfterFunc(stop, func() { server.Close() })
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(os.Stdout, io.LimitReader(response.Body, 1<<20)); err != nil {
		return err
	}
	if response.StatusCode >= 400 {
		return fmt.Errorf("%s answered %s", url, response.Status)
	}
	return nil
}

func resolve(ctx context.Context, name string) error {
	addresses, err := net.DefaultResolver.LookupHost(ctx, name)
	for _, address := range addresses {
		fmt.Println(address)
	}
	return err
}
