package main

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// connections holds one connection for each target.
type connections struct {
	byTarget map[string]*grpc.ClientConn
}

func newConnections() *connections {
	return &connections{byTarget: map[string]*grpc.ClientConn{}}
}

func (c *connections) to(target string, serviceConfig *string) (*grpc.ClientConn, error) {
	if conn, ok := c.byTarget[target]; ok {
		return conn, nil
	}
	// payonce.DialOptions without its interceptor, which each call brings along
	// with options of its own.
	retries := grpc.WithDisableRetry()
	if serviceConfig != nil {
		retries = grpc.WithDefaultServiceConfig(*serviceConfig)
	}
	conn, err := grpc.NewClient(target,
		grpc.WithTransportCredentials(insecure.NewCredentials()), retries)
	if err != nil {
		return nil, err
	}
	c.byTarget[target] = conn
	return conn, nil
}

func (c *connections) close() {
	for _, conn := range c.byTarget {
		conn.Close()
	}
}
