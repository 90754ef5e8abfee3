// Package engine serves the embedded ClickHouse engine (libchdb) on a loopback address, speaking ClickHouse's HTTP
// interface, so that the unmodified clickhouse-go driver and the Grafana data source work against it.
//
//   - Run is the server itself: one process, one data folder.
//   - Start supervises such a server as a child process; MaybeChild turns a program into that child.
//   - Locate finds the library or fetches it.
//
// The engine lives in a process of its own because it is a large C++ library: a crash in it must not take a service
// down with it, and what it does to signal handlers must not matter to anything else.
package engine
